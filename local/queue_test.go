//go:build !unit

package main_test

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

func TestQueue_TasksRunOneAfterTheOtherInTheOrderTheyWereSubmitted(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	s := newHome(t, c).serve(t, settings{"ACE_MAX_TASKS": "1"})
	release := hold(t, c, "tiny")
	var ids []string
	for range 6 {
		ids = append(ids, s.submit(t, c, "public.tiny"))
	}
	eventually(t, startTimeout, "the first runs", func() bool { return s.status(t, ids[0]).Status == api.StatusRunning })
	for _, id := range ids[1:] {
		if status := s.status(t, id); status.Status != api.StatusQueued || !status.StartedAt.IsZero() || status.Progress != nil {
			t.Errorf("task %s after the first one: %+v", id, status)
		}
	}
	release()
	var before api.TaskStatus
	for _, id := range ids {
		s.completed(t, id)
		status := s.status(t, id)
		if status.StartedAt.Before(before.FinishedAt.Time) {
			t.Errorf("task %s began at %s, before %s ended at %s", id, status.StartedAt, before.TaskID, before.FinishedAt)
		}
		before = status
	}
}

func TestQueue_KeepsItsOrderThroughARestart(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	h := newHome(t, c)
	first := h.serve(t, settings{"ACE_MAX_TASKS": "1"})
	release := hold(t, c, "tiny")
	var ids []string
	for range 6 {
		ids = append(ids, first.submit(t, c, "public.tiny"))
	}
	eventually(t, startTimeout, "the first runs", func() bool { return first.status(t, ids[0]).Status == api.StatusRunning })
	first.kill()
	release()
	second := h.serve(t, settings{"ACE_MAX_TASKS": "1"})
	var began []time.Time
	for _, id := range ids {
		second.completed(t, id)
		began = append(began, second.status(t, id).StartedAt.Time)
	}
	if !slices.IsSortedFunc(began, time.Time.Compare) {
		t.Errorf("the tasks began at %v", began)
	}
}

func TestQueue_WhenItIsFullNothingIsStored(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	s := newHome(t, c).serve(t, settings{"ACE_MAX_TASKS": "1", "ACE_MAX_QUEUE": "2"})
	release := hold(t, c, "tiny")
	ids := []string{s.submit(t, c, "public.tiny")}
	eventually(t, startTimeout, "the first runs", func() bool { return s.status(t, ids[0]).Status == api.StatusRunning })
	ids = append(ids, s.submit(t, c, "public.tiny"), s.submit(t, c, "public.tiny"))

	before := s.home.keys(t, "open/")
	for range 3 {
		resp := s.get(t, "/ace/table-diff", diffQuery(c, "public.tiny"))
		want := `{"error":"the queue is full: 2 tasks are waiting (ACE_MAX_QUEUE); try again later"}` + "\n"
		if wait, err := strconv.Atoi(resp.Header["Retry-After"]); resp.Status != 503 || string(resp.Body) != want || err != nil || wait < 1 {
			t.Errorf("got %d %s, Retry-After %q", resp.Status, resp.Body, resp.Header["Retry-After"])
		}
	}
	if bad := s.get(t, "/ace/table-diff", "cluster_name=nope"); bad.Status != 400 {
		t.Errorf("a bad request is answered with %d although the queue is full", bad.Status)
	}
	listed, _ := s.list(t, "")
	slices.Reverse(listed)
	if after := s.home.keys(t, "open/"); len(before) != 3 || !slices.Equal(before, after) || !slices.Equal(listed, ids) {
		t.Errorf("open before %v and after %v, listed %v, want %v", before, after, listed, ids)
	}
	release()
	for _, id := range ids {
		s.completed(t, id)
	}
	s.completed(t, s.submit(t, c, "public.tiny"))
}

func TestQueue_CancellingAWaitingTaskIsImmediateAndMakesRoom(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	s := newHome(t, c).serve(t, settings{"ACE_MAX_TASKS": "1", "ACE_MAX_QUEUE": "1"})
	release := hold(t, c, "tiny")
	first := s.submit(t, c, "public.tiny")
	eventually(t, startTimeout, "the first runs", func() bool { return s.status(t, first).Status == api.StatusRunning })
	second := s.submit(t, c, "public.tiny")

	var answer api.TaskStatus
	s.read(t, "/ace/task-cancel/"+second, "", &answer)
	if answer.Status != api.StatusCancelled || answer.FinishedAt.IsZero() || !answer.StartedAt.IsZero() || answer.TimeTaken != nil {
		t.Errorf("the answer is %+v", answer)
	}
	if again := s.get(t, "/ace/task-cancel/"+second, ""); again.Status != 409 {
		t.Errorf("cancelled again: %d %s", again.Status, again.Body)
	}
	third := s.submit(t, c, "public.tiny")
	release()
	s.completed(t, first)
	s.completed(t, third)
	if status := s.status(t, second); status.Status != api.StatusCancelled || !status.StartedAt.IsZero() {
		t.Errorf("the cancelled task is %+v", status)
	}
	if resp := s.get(t, "/ace/diffs/"+second, ""); resp.Status != 404 || !strings.Contains(string(resp.Body), "ended CANCELLED: it has no diff document") {
		t.Errorf("its document: %d %s", resp.Status, resp.Body)
	}
}

func TestQueue_TwoHundredSubmissionsAtOnceGetAnIDEachAndComplete(t *testing.T) {
	t.Parallel()
	const submissions, clients = 200, 20
	c := pgtest.NewCluster(t)
	tiny(t, c)
	s := newHome(t, c).serve(t, nil)
	ids := make([]string, submissions)
	begin := time.Now()
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			for i := client; i < submissions; i += clients {
				ids[i] = s.submit(t, c, "public.tiny", "quiet", "true")
			}
		})
	}
	wait.Wait()
	t.Logf("%d submissions took %s", submissions, time.Since(begin))

	perSecond := map[string]int{}
	for _, id := range ids {
		s.completed(t, id)
		perSecond[id[:len("td_20240315_123456")]]++
	}
	distinct := slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(distinct) != submissions {
		t.Errorf("%d submissions got %d ids", submissions, len(distinct))
	}
	if len(perSecond) > submissions/4 {
		t.Errorf("the submissions fell into %d seconds: too few to an id's second for this to show anything", len(perSecond))
	}
	listed, _ := s.list(t, url.Values{"limit": {"1000"}, "status": {api.StatusCompleted}}.Encode())
	if slices.Sort(listed); !slices.Equal(listed, distinct) {
		t.Errorf("%d tasks are listed as completed", len(listed))
	}
	eventually(t, startTimeout, "no task is marked open", func() bool { return len(s.home.keys(t, "open/")) == 0 })
}
