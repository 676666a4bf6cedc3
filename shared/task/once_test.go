package task_test

import (
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/shared/fault"
	"ace/shared/task"
)

// childOf returns the submission of one table's task.
func childOf(parent, once string) task.New {
	n := diffOf("public.users")
	n.Parent, n.Once, n.SubmittedAt = parent, once, noon.Add(time.Minute)
	return n
}

func TestCreateOnce_ARepeatedSubmissionReturnsTheFirstTask(t *testing.T) {
	r, _ := newRegistry(t)
	first := create(t, r, childOf("sd_20240315_123456", "a/1"))
	if !first.SubmittedAt.Equal(noon.Add(time.Minute)) || first.Parent != "sd_20240315_123456" {
		t.Errorf("created %+v", first)
	}
	if again := create(t, r, childOf("sd_20240315_123456", "a/1")); again.TaskID != first.TaskID {
		t.Errorf("%s was created after %s", again.TaskID, first.TaskID)
	}
	other := create(t, r, childOf("sd_20240315_123456", "a/2"))
	if other.TaskID == first.TaskID {
		t.Errorf("another submission has the id %s too", other.TaskID)
	}

	// The same holds after the task has ended and its open marker is gone.
	if _, err := r.RequestCancel(t.Context(), first.TaskID); err != nil {
		t.Fatal(err)
	}
	again := create(t, r, childOf("sd_20240315_123456", "a/1"))
	if again.Status != task.Cancelled || again.TaskID != first.TaskID {
		t.Errorf("the task is %s %s", again.TaskID, again.Status)
	}
	if marks := open(t, r); len(marks) != 1 || marks[0] != other.TaskID {
		t.Errorf("open are %v", marks)
	}
}

func TestCreateOnce_ALostResponseCreatesOneTask(t *testing.T) {
	for _, prefix := range []string{"open/", "tasks/"} {
		for name, outcome := range map[string]faulty.Outcome{"lost before": faulty.FailBefore, "lost after": faulty.FailAfter} {
			r, store := newRegistry(t)
			store.On(faulty.PutIfAbsent, prefix, faulty.First(9, outcome))
			_, _ = r.Create(t.Context(), childOf("sd_20240315_123456", "a/1")) // the parent repeats the submission
			store.Heal()
			rec := create(t, r, childOf("sd_20240315_123456", "a/1"))
			if marks := open(t, r); len(marks) != 1 || marks[0] != rec.TaskID {
				t.Errorf("%s %s: open are %v, want %s", prefix, name, marks, rec.TaskID)
			}
		}
	}
}

func TestKeepAlive_ATaskIsCancelledWithItsParent(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, r *task.Registry, parent string){
		"a request to cancel the parent": func(t *testing.T, r *task.Registry, parent string) {
			if _, err := r.Acquire(t.Context(), parent, "test", task.AcquireOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := r.RequestCancel(t.Context(), parent); err != nil {
				t.Fatal(err)
			}
		},
		"a parent that has ended": func(t *testing.T, r *task.Registry, parent string) {
			if _, err := r.RequestCancel(t.Context(), parent); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := newRegistry(t)
			n := diffOf("public.*")
			n.Type = task.SchemaDiff
			parent := create(t, r, n)
			child := create(t, r, childOf(parent.TaskID, "a/1"))
			lease, err := r.Acquire(t.Context(), child.TaskID, "test", task.AcquireOptions{})
			if err != nil {
				t.Fatal(err)
			}

			work, stop := lease.KeepAlive(t.Context(), task.Intervals{Cancel: time.Millisecond}, func() task.Progress { return task.Progress{} })
			select {
			case <-work.Done():
				t.Fatal("the task was cancelled before its parent")
			case <-time.After(20 * time.Millisecond):
			}
			end(t, r, parent.TaskID)
			<-work.Done()
			if err := stop(); fault.CodeOf(err) != fault.Cancelled {
				t.Errorf("the cause is %v", err)
			}
		})
	}
}

func TestList_SelectsByTheParent(t *testing.T) {
	r, _ := newRegistry(t)
	n := diffOf("public.*")
	n.Type = task.SchemaDiff
	parent := create(t, r, n)
	child := create(t, r, childOf(parent.TaskID, "a/1"))
	for filter, want := range map[string]string{parent.TaskID: child.TaskID, task.NoParent: parent.TaskID} {
		page, err := r.List(t.Context(), task.Filter{Parent: filter})
		if err != nil || len(page.Records) != 1 || page.Records[0].TaskID != want {
			t.Errorf("parent %s: %v %v, want %s", filter, page, err, want)
		}
	}
}
