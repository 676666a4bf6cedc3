package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/runner"
	"ace/shared/task"
)

var errHandover = fault.New(fault.Unavailable, "the service is shutting down")

// bench is a task and a runner whose work the test defines.
type bench struct {
	store  *faulty.Store
	tasks  *task.Registry
	id     string
	log    bytes.Buffer
	work   runner.Handler
	runner *runner.Runner
}

func newBench(t *testing.T, work runner.Handler) *bench {
	t.Helper()
	b := &bench{store: newStore(t), work: work}
	b.tasks = task.NewRegistry(b.store, time.Now)
	b.runner = runner.New(runner.Options{
		Tasks: b.tasks, Owner: "this test", Handover: errHandover,
		Handlers: map[task.Type]runner.Handler{task.TableDiff: b.withFiles},
		Log:      slog.New(slog.NewTextHandler(&b.log, nil)),
	})
	b.id = b.create(t, task.TableDiff)
	return b
}

func (b *bench) create(t *testing.T, kind task.Type) string {
	t.Helper()
	rec, err := b.tasks.Create(t.Context(), task.New{Type: kind, ClusterName: "c", DBName: "d", TableName: "public.t", Parameters: json.RawMessage(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	return rec.TaskID
}

var document = task.Document{Key: "diffs/2024-03-15/x.json", Size: 2, SHA256: "ab"}

// withFiles stores what a comparison stores before it does the test's work.
func (b *bench) withFiles(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
	for _, key := range []string{archive.PlanKey(rec.TaskID), archive.PartKey(rec.TaskID, "compare", "000000"), document.Key} {
		if _, err := b.store.Put(ctx, key, "application/json", []byte("{}")); err != nil {
			return runner.Outcome{}, err
		}
	}
	return b.work(ctx, rec, report)
}

func (b *bench) record(t *testing.T) task.Record {
	t.Helper()
	rec, err := b.tasks.Get(t.Context(), b.id)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// files returns the task's keys, without its prefix.
func (b *bench) files(t *testing.T) []string {
	t.Helper()
	var names []string
	err := b.store.List(t.Context(), archive.TaskPrefix(b.id), "", func(info archive.Info) bool {
		names = append(names, strings.TrimPrefix(info.Key, archive.TaskPrefix(b.id)))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// wantEnded checks how the task ended and that only its record and the document remain.
func (b *bench) wantEnded(t *testing.T, status task.Status, code fault.Code, says string) {
	t.Helper()
	rec := b.record(t)
	if rec.Status != status || rec.ErrorCode != string(code) || !strings.Contains(rec.Error, says) || rec.Lease != nil || rec.FinishedAt == nil {
		t.Errorf("the record is %+v, want %s with code %q and %q", rec, status, code, says)
	}
	if files := b.files(t); !slices.Equal(files, []string{"task.json"}) {
		t.Errorf("the task still has %v", files)
	}
	if _, err := b.store.Stat(t.Context(), document.Key); err != nil {
		t.Errorf("the document: %v", err)
	}
	if open, err := b.tasks.Open(t.Context()); err != nil || slices.Contains(open, b.id) {
		t.Errorf("open tasks are %v, error %v", open, err)
	}
}

// wantGoingOn checks that the task can be run again and that its finished work is stored.
func (b *bench) wantGoingOn(t *testing.T) {
	t.Helper()
	if rec := b.record(t); rec.Status != task.Running || rec.FinishedAt != nil {
		t.Errorf("the record is %+v, want it RUNNING", rec)
	}
	if files := b.files(t); !slices.Contains(files, "plan.json") || !slices.Contains(files, "parts/compare-000000") {
		t.Errorf("the task has only %v left", files)
	}
	if open, err := b.tasks.Open(t.Context()); err != nil || !slices.Contains(open, b.id) {
		t.Errorf("open tasks are %v, error %v", open, err)
	}
}

func complete(context.Context, task.Record, func(task.Progress)) (runner.Outcome, error) {
	return runner.Outcome{Result: json.RawMessage(`{"verdict":"match"}`), Document: &document}, nil
}

func failing(err error) runner.Handler {
	return func(context.Context, task.Record, func(task.Progress)) (runner.Outcome, error) {
		return runner.Outcome{}, err
	}
}

func TestRun_StoresHowTheWorkEnded(t *testing.T) {
	tests := []struct {
		name   string
		work   runner.Handler
		status task.Status
		code   fault.Code
		says   string
	}{
		{"completed", complete, task.Completed, "", ""},
		{"failed because of the request", failing(fault.New(fault.Invalid, "no such table")), task.Failed, fault.Invalid, "no such table"},
		{"failed by a node", failing(fault.New(fault.Unavailable, "node n1 is gone")), task.Failed, fault.Unavailable, "node n1 is gone"},
		{"failed for an untranslated reason", failing(errors.New("secret")), task.Failed, fault.Internal, "internal error"},
		{"panicked", func(_ context.Context, rec task.Record, _ func(task.Progress)) (runner.Outcome, error) {
			return []runner.Outcome{}[rec.Attempts], nil
		}, task.Failed, fault.Internal, "because of a defect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, tt.work)
			b.runner.Run(t.Context(), b.id, false)
			b.wantEnded(t, tt.status, tt.code, tt.says)
			rec := b.record(t)
			if completed := tt.status == task.Completed; (rec.Document != nil) != completed || (rec.Result != nil) != completed {
				t.Errorf("document %v, result %s", rec.Document, rec.Result)
			}
			if strings.Contains(rec.Error, "secret") {
				t.Errorf("the record shows %q", rec.Error)
			}
			if tt.code == fault.Internal && !strings.Contains(b.log.String(), "secret") && !strings.Contains(b.log.String(), "index out of range") {
				t.Errorf("the log does not say why:\n%s", b.log.String())
			}
		})
	}
}

func TestRun_AnUnknownTypeFails(t *testing.T) {
	b := newBench(t, complete)
	b.id = b.create(t, task.TableRepair)
	b.runner.Run(t.Context(), b.id, false)
	if rec := b.record(t); rec.Status != task.Failed || !strings.Contains(rec.Error, `"table-repair"`) {
		t.Errorf("the record is %+v, want FAILED naming the type", rec)
	}
}

func TestRun_CancelOnRequestEndsTheWork(t *testing.T) {
	var b *bench
	b = newBench(t, func(ctx context.Context, rec task.Record, _ func(task.Progress)) (runner.Outcome, error) {
		if _, err := b.tasks.RequestCancel(ctx, rec.TaskID); err != nil {
			return runner.Outcome{}, err
		}
		<-ctx.Done()
		return runner.Outcome{}, context.Cause(ctx)
	})
	b.runner.Run(t.Context(), b.id, false)
	b.wantEnded(t, task.Cancelled, fault.Cancelled, "cancelled on request")
}

// The handler finds the request to cancel before KeepAlive does, or has already ended.
//
// Case O-F6, see docs/RELIABILITY.md.
func TestRun_EndsAsTheWorkDidAfterARequestToCancel(t *testing.T) {
	found := fault.New(fault.Cancelled, "cancelled on request; node n2 was committed before")
	for name, tt := range map[string]struct {
		requested bool
		err       error
		status    task.Status
		code      fault.Code
	}{
		"the work finds the request":                {true, found, task.Cancelled, fault.Cancelled},
		"the work fails for another reason":         {true, fault.New(fault.Invalid, "no key"), task.Failed, fault.Invalid},
		"the work was done":                         {true, nil, task.Completed, ""},
		"a context ended that no request has ended": {false, context.Canceled, task.Failed, fault.Cancelled},
	} {
		t.Run(name, func(t *testing.T) {
			var b *bench
			b = newBench(t, func(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
				if tt.requested {
					if _, err := b.tasks.RequestCancel(ctx, rec.TaskID); err != nil {
						return runner.Outcome{}, err
					}
				}
				if tt.err == nil {
					return complete(ctx, rec, report)
				}
				return runner.Outcome{}, tt.err
			})
			b.store.On(faulty.Stat, archive.CancelKey(b.id), faulty.Nth(1, faulty.FailBefore)) // KeepAlive does not find the request
			b.runner.Run(t.Context(), b.id, false)
			message := ""
			if tt.err != nil {
				message = fault.PublicMessage(tt.err)
			}
			b.wantEnded(t, tt.status, tt.code, message)
		})
	}
}

func TestRun_ShutdownReleasesTheLeaseAndTheNextRunContinues(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	b := newBench(t, func(ctx context.Context, _ task.Record, _ func(task.Progress)) (runner.Outcome, error) {
		stop(errHandover)
		<-ctx.Done()
		return runner.Outcome{}, context.Cause(ctx)
	})
	b.runner.Run(ctx, b.id, false)
	b.wantGoingOn(t)
	if rec := b.record(t); rec.Lease != nil {
		t.Errorf("the lease was kept: %+v", rec.Lease)
	}
	b.work = complete
	b.runner.Run(t.Context(), b.id, false)
	b.wantEnded(t, task.Completed, "", "")
}

func TestRun_ShutdownDoesNotWaitForAStoreThatHangs(t *testing.T) {
	// The service promises to stop within 10 s. The runner should need 3 s for this
	// (grace).
	const limit = 8 * time.Second
	tests := map[string]struct {
		after time.Duration // time from the start of the work to the shutdown
		work  runner.Handler
	}{
		"while a renewal hangs": {1500 * time.Millisecond, func(ctx context.Context, _ task.Record, report func(task.Progress)) (runner.Outcome, error) {
			report(task.Progress{RowsCompared: 1})
			<-ctx.Done()
			return runner.Outcome{}, context.Cause(ctx)
		}},
		"while the outcome is being stored": {200 * time.Millisecond, complete},
		"then stores an outcome": {0, func(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
			<-ctx.Done()
			return complete(ctx, rec, report)
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			var b *bench
			b = newBench(t, func(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
				for _, op := range []faulty.Op{faulty.PutIfMatch, faulty.Delete} {
					b.store.On(op, "", faulty.Always(faulty.Hang))
				}
				time.AfterFunc(tt.after, func() { stop(errHandover) })
				return tt.work(ctx, rec, report)
			})
			begin := time.Now()
			b.runner.Run(ctx, b.id, false)
			if took := time.Since(begin); took > limit {
				t.Errorf("it took %s, want less than %s", took, limit)
			}
			b.store.Heal()
			b.wantGoingOn(t)
			if _, err := b.tasks.Acquire(t.Context(), b.id, "the next process", task.AcquireOptions{TakeOver: true}); err != nil {
				t.Errorf("the next process does not get the lease: %v", err)
			}
		})
	}
}

func TestRun_WorkFinishedAtShutdownIsCompleted(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	b := newBench(t, func(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
		stop(errHandover)
		return complete(ctx, rec, report)
	})
	b.runner.Run(ctx, b.id, false)
	b.wantEnded(t, task.Completed, "", "")
}

func TestRun_EndsNothingAfterTheLeaseIsLost(t *testing.T) {
	var b *bench
	var theirs *task.Lease
	b = newBench(t, func(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
		var err error
		if theirs, err = b.tasks.Acquire(ctx, rec.TaskID, "another", task.AcquireOptions{TakeOver: true}); err != nil {
			return runner.Outcome{}, err
		}
		report(task.Progress{RowsCompared: 1}) // the loss is detected when this progress is stored
		<-ctx.Done()
		return runner.Outcome{Document: &document}, context.Cause(ctx)
	})
	losses := 0
	b.runner.LeaseLost = func() { losses++ }
	b.runner.Run(t.Context(), b.id, false)
	if losses != 1 {
		t.Errorf("%d lost leases are reported, want 1", losses)
	}
	b.wantGoingOn(t)
	if rec := b.record(t); rec.Lease == nil || rec.Lease.Owner != "another" {
		t.Errorf("the lease is %+v, want it with the other runner", rec.Lease)
	}
	if _, err := theirs.Finish(t.Context(), task.Outcome{Status: task.Completed}); err != nil {
		t.Errorf("the other runner cannot finish: %v", err)
	}
}

func TestRun_AnOutcomeStoredByTheNewOwnerIsNotOverwritten(t *testing.T) {
	var b *bench
	b = newBench(t, func(ctx context.Context, rec task.Record, _ func(task.Progress)) (runner.Outcome, error) {
		theirs, err := b.tasks.Acquire(ctx, rec.TaskID, "another", task.AcquireOptions{TakeOver: true})
		if err == nil {
			_, err = theirs.Finish(ctx, task.Outcome{Status: task.Completed, Result: json.RawMessage(`{"theirs":true}`)})
		}
		return runner.Outcome{Result: json.RawMessage(`{"ours":true}`)}, err
	})
	losses := 0
	b.runner.LeaseLost = func() { losses++ }
	b.runner.Run(t.Context(), b.id, false)
	if losses != 1 {
		t.Errorf("%d lost leases are reported, want 1", losses)
	}
	if rec := b.record(t); rec.Status != task.Completed || string(rec.Result) != `{"theirs":true}` {
		t.Errorf("the record is %s with %s, want the other runner's", rec.Status, rec.Result)
	}
}

func TestRun_StoresTheOutcomeAfterAnOutage(t *testing.T) {
	for name, outcome := range map[string]faulty.Outcome{"writes fail": faulty.FailBefore, "answers are lost": faulty.FailAfter} {
		t.Run(name, func(t *testing.T) {
			var b *bench
			b = newBench(t, func(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
				b.store.On(faulty.PutIfMatch, archive.TaskKey(rec.TaskID), faulty.First(6, outcome))
				return complete(ctx, rec, report)
			})
			b.runner.Run(t.Context(), b.id, false)
			b.wantEnded(t, task.Completed, "", "")
		})
	}
}

func TestRun_RetriesAFailedCleanupInTheNextRun(t *testing.T) {
	tests := map[string]struct {
		op     faulty.Op
		prefix func(id string) string
		left   bool // whether the task's objects are left after the first run
	}{
		"files cannot be listed":            {faulty.List, archive.TaskPrefix, true},
		"no file can be removed":            {faulty.Delete, archive.TaskPrefix, true},
		"parts cannot be removed":           {faulty.Delete, func(id string) string { return archive.PartsPrefix(id, "compare") }, true},
		"the open marker cannot be removed": {faulty.Delete, archive.OpenKey, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, complete)
			b.store.On(tt.op, tt.prefix(b.id), faulty.Always(faulty.FailBefore))
			b.runner.Run(t.Context(), b.id, false)
			if rec := b.record(t); rec.Status != task.Completed {
				t.Errorf("the record is %+v, want COMPLETED", rec)
			}
			if !strings.Contains(b.log.String(), "cleanup failed") {
				t.Errorf("the log does not say so:\n%s", b.log.String())
			}
			b.store.Heal()
			if left := len(b.files(t)) > 1; left != tt.left {
				t.Errorf("the task has %v: this test shows nothing", b.files(t))
			}
			if open, err := b.tasks.Open(t.Context()); err != nil || !slices.Contains(open, b.id) {
				t.Fatalf("open tasks are %v, error %v: nothing finds the rest", open, err)
			}
			b.work = func(context.Context, task.Record, func(task.Progress)) (runner.Outcome, error) {
				t.Error("the work was done again")
				return runner.Outcome{}, nil
			}
			b.runner.Run(t.Context(), b.id, false)
			b.wantEnded(t, task.Completed, "", "")
		})
	}
}

func TestRun_DeletesTheOpenMarkerLast(t *testing.T) {
	b := newBench(t, complete)
	b.store.On(faulty.Delete, archive.OpenKey(b.id), func(int) faulty.Outcome {
		if files := b.files(t); !slices.Equal(files, []string{"task.json"}) {
			t.Errorf("the open marker was removed while the task has %v", files)
		}
		return faulty.Pass
	})
	b.runner.Run(t.Context(), b.id, false)
	b.wantEnded(t, task.Completed, "", "")
}

func TestRun_FailsATaskThatNeverEnds(t *testing.T) {
	b := newBench(t, func(context.Context, task.Record, func(task.Progress)) (runner.Outcome, error) {
		t.Error("the work was repeated")
		return runner.Outcome{}, nil
	})
	if _, err := b.store.Put(t.Context(), document.Key, "application/json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	for range 20 { // acquired by processes that die
		if _, err := b.tasks.Acquire(t.Context(), b.id, "crashing", task.AcquireOptions{TakeOver: true}); err != nil {
			t.Fatal(err)
		}
	}
	b.runner.Run(t.Context(), b.id, true)
	b.wantEnded(t, task.Failed, fault.Internal, "given up after 20 attempts")
}

func TestRun_LogsAWarningIfTheStorePreventsAStart(t *testing.T) {
	tests := map[string]struct {
		prepare func(b *bench)
		warns   bool
	}{
		"the record cannot be read": {func(b *bench) {
			b.store.On(faulty.Get, archive.TaskKey(b.id), faulty.Always(faulty.FailBefore))
		}, true},
		"the lease cannot be stored": {func(b *bench) {
			b.store.On(faulty.PutIfMatch, archive.TaskKey(b.id), faulty.Always(faulty.FailBefore))
		}, true},
		"the record is damaged": {func(b *bench) {
			if _, err := b.store.Put(t.Context(), archive.TaskKey(b.id), "application/json", []byte("{")); err != nil {
				t.Fatal(err)
			}
		}, true},
		"there is no such task": {func(b *bench) { b.id = "td_20240315_123456" }, false},
		"another has it": {func(b *bench) {
			if _, err := b.tasks.Acquire(t.Context(), b.id, "another", task.AcquireOptions{}); err != nil {
				t.Fatal(err)
			}
		}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, complete)
			tt.prepare(b)
			b.runner.Run(t.Context(), b.id, false)
			if text := b.log.String(); strings.Contains(text, "level=WARN") != tt.warns || tt.warns && !strings.Contains(text, b.id) {
				t.Errorf("want a warning: %v; the log is:\n%s", tt.warns, text)
			}
		})
	}
}

func TestRun_IgnoresTasksThatMustNotRun(t *testing.T) {
	never := func(context.Context, task.Record, func(task.Progress)) (runner.Outcome, error) {
		t.Error("the work was done")
		return runner.Outcome{}, nil
	}
	t.Run("a task of another runner", func(t *testing.T) {
		b := newBench(t, never)
		if _, err := b.tasks.Acquire(t.Context(), b.id, "another", task.AcquireOptions{}); err != nil {
			t.Fatal(err)
		}
		b.runner.Run(t.Context(), b.id, false)
		if rec := b.record(t); rec.Attempts != 1 || rec.Lease.Owner != "another" {
			t.Errorf("the record is %+v", rec)
		}
	})
	t.Run("a task that was cancelled while it waited", func(t *testing.T) {
		b := newBench(t, never)
		if _, err := b.tasks.RequestCancel(t.Context(), b.id); err != nil {
			t.Fatal(err)
		}
		b.runner.Run(t.Context(), b.id, false)
		if rec := b.record(t); rec.Status != task.Cancelled {
			t.Errorf("the record is %+v", rec)
		}
	})
	t.Run("no task at all", func(t *testing.T) {
		b := newBench(t, never)
		b.runner.Run(t.Context(), "td_20240315_123456", false)
	})
	t.Run("a task that ended", func(t *testing.T) {
		b := newBench(t, complete)
		b.runner.Run(t.Context(), b.id, false)
		b.work = never
		b.runner.Run(t.Context(), b.id, false)
		b.runner.Run(t.Context(), b.id, true)
		b.wantEnded(t, task.Completed, "", "")
	})
}

func TestRun_ProgressReachesTheRecord(t *testing.T) {
	var b *bench
	var seen task.Progress
	b = newBench(t, func(ctx context.Context, rec task.Record, report func(task.Progress)) (runner.Outcome, error) {
		want := task.Progress{Phase: "compare", BlocksTotal: 10, BlocksDone: 3, RowsCompared: 30_000}
		report(task.Progress{Phase: "plan"})
		report(want)
		for deadline := time.Now().Add(10 * time.Second); seen != want && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if stored, err := b.tasks.Get(ctx, rec.TaskID); err == nil && stored.Progress != nil {
				seen = *stored.Progress
			}
		}
		return complete(ctx, rec, report)
	})
	b.runner.Run(t.Context(), b.id, false)
	if seen.BlocksDone != 3 {
		t.Errorf("the record showed %+v", seen)
	}
}

func TestRun_WorkThatStopsByItselfHandsTheTaskOver(t *testing.T) {
	for name, tt := range map[string]struct {
		stalled  bool
		attempts int
	}{"after it has done something": {false, 0}, "having done nothing": {true, 1}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, failing(fault.Wrap(errHandover, fault.Cancelled, "no more units are handed out")))
			var started []string
			b.runner.NoProgress = func() bool { return tt.stalled }
			b.runner.Restart = func(_ context.Context, id string) error {
				if rec := b.record(t); rec.Lease != nil {
					t.Errorf("started again while the lease is held: %+v", rec)
				}
				started = append(started, id)
				return nil
			}
			b.runner.Run(t.Context(), b.id, false)
			b.wantGoingOn(t)
			if rec := b.record(t); rec.Lease != nil || rec.Attempts != tt.attempts || !slices.Equal(started, []string{b.id}) {
				t.Errorf("started again were %v; the record is %+v, want %d attempts", started, rec, tt.attempts)
			}
		})
	}
}

func TestRun_ACancelledTaskIsNotHandedOver(t *testing.T) {
	b := newBench(t, func(ctx context.Context, _ task.Record, _ func(task.Progress)) (runner.Outcome, error) {
		<-ctx.Done() // the request to cancel
		return runner.Outcome{}, errHandover
	})
	if _, err := b.tasks.Acquire(t.Context(), b.id, "an earlier runner", task.AcquireOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.tasks.RequestCancel(t.Context(), b.id); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Put(t.Context(), document.Key, "application/json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	b.runner.Run(t.Context(), b.id, true)
	b.wantEnded(t, task.Cancelled, fault.Cancelled, "cancelled on request")
}

// Every sweep starts the task again.
func TestRun_WarnsOnceOfATaskThatANewerVersionHasStored(t *testing.T) {
	b := newBench(t, nil)
	newer := fmt.Sprintf(`{"format": %d, "task_id": %q}`, task.CurrentFormat+1, b.id)
	if _, err := b.store.Put(t.Context(), archive.TaskKey(b.id), "application/json", []byte(newer)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.runner.Run(t.Context(), b.id, false)
	}
	if n := strings.Count(b.log.String(), "level=WARN"); n != 1 || !strings.Contains(b.log.String(), b.id+" has format") {
		t.Errorf("%d warnings:\n%s", n, b.log.String())
	}
}
