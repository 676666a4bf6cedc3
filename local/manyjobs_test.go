//go:build !unit

package main_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/archive/dirstore"
)

const (
	manyJobs = 200
	// manyTables is how many tables these jobs compare, each of ten rows.
	manyTables = 10
	// jobsMemory is the maximum memory of the service, as for any comparison. jobsGrowth
	// is the maximum growth of its memory from the first task to the last.
	jobsMemory = 100 << 20
	jobsGrowth = 20 << 20
	// jobsTimeout bounds the time of all jobs.
	jobsTimeout = 4 * time.Minute
	// workers is the default of ACE_MAX_TASKS. Tasks begin in their order, but the starts
	// of concurrent ones may be recorded in another order. So the test allows for
	// outOfOrder: no task begins before one that was submitted outOfOrder places earlier.
	workers    = 2
	outOfOrder = 2 * workers
)

// jobName names the jobs in their order.
func jobName(n int) string { return fmt.Sprintf("job-%03d", n) }

// dueSoon returns a whole minute that leaves the service time to start.
func dueSoon() time.Time {
	return time.Now().UTC().Add(25 * time.Second).Truncate(time.Minute).Add(time.Minute)
}

// manySchedules writes a file of jobs that are all due daily at this minute, and returns
// their crontab_schedule.
func (h home) manySchedules(t testing.TB, c *pgtest.Cluster, due time.Time) (spec string) {
	t.Helper()
	spec = due.Format("4 15 * * *")
	var file strings.Builder
	file.WriteString("jobs:\n")
	for n := range manyJobs {
		fmt.Fprintf(&file, "  - {name: %s, cluster_name: %s, table_name: public.t%d, crontab_schedule: %s, args: {confirm_delay: 0}}\n",
			jobName(n), c.Name, n%manyTables, spec)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "schedules.yaml"), []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return spec
}

// absent creates the archive of a service that ran these jobs until two days and an hour
// before they are due, and then stopped.
func (h home) absent(t testing.TB, spec string, due time.Time) {
	t.Helper()
	h.serve(t, nil).kill()
	store, err := dirstore.Open(t.Context(), dirstore.Options{Dir: h.data()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	for n := range manyJobs {
		body, err := json.Marshal(map[string]any{"job": jobName(n), "spec": spec, "seen": due.Add(-49 * time.Hour)})
		if err == nil {
			_, err = store.Put(t.Context(), archive.ScheduleKey(jobName(n)), "application/json", body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// documents are the tasks whose documents are in the archive.
func (h home) documents(t testing.TB) (ids []string) {
	t.Helper()
	files, err := filepath.Glob(h.object(archive.DiffsPrefix) + "/*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		ids = append(ids, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	return ids
}

// every returns the status of every task, the first submitted first.
func (s *service) every(t testing.TB) []api.TaskStatus {
	t.Helper()
	var list api.TaskList
	s.read(t, "/ace/tasks", url.Values{"limit": {"1000"}}.Encode(), &list)
	slices.SortStableFunc(list.Tasks, func(a, b api.TaskStatus) int { return a.SubmittedAt.Compare(b.SubmittedAt.Time) })
	return list.Tasks
}

// TestSchedules_TwoHundredJobsOfOneMinuteAllRunOnceAndInOrderThroughACrash waits for a
// real minute to begin.
func TestSchedules_TwoHundredJobsOfOneMinuteAllRunOnceAndInOrderThroughACrash(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	for n := range manyTables {
		c.ExecAll(t, fmt.Sprintf(`CREATE TABLE t%d (id int PRIMARY KEY, v text); INSERT INTO t%d SELECT i, 'v' || i FROM generate_series(1, 10) i`, n, n))
	}
	h, due := newHome(t, c), dueSoon()
	h.absent(t, h.manySchedules(t, c, due), due)

	env := settings{"ACE_SCHEDULES": "schedules.yaml"}
	first := h.serve(t, env)
	eventually(t, jobsTimeout, "half of the jobs have their documents", func() bool { return len(h.documents(t)) >= manyJobs/2 })
	before := first.every(t)
	t.Logf("after %s %d tasks were submitted; %d MB", time.Since(due).Round(time.Second), len(before), first.peakMemory(t)>>20)
	first.kill()

	second := h.serve(t, env)
	done := len(h.documents(t))
	eventually(t, jobsTimeout, "another task ends", func() bool { return len(h.documents(t)) > done })
	early := second.peakMemory(t)
	var list api.ScheduleList
	eventually(t, jobsTimeout, "every job has run", func() bool {
		time.Sleep(time.Second) // the scheduler checks only every 5 seconds
		second.read(t, "/ace/schedules", "", &list)
		return !slices.ContainsFunc(list.Schedules, func(s api.Schedule) bool { return s.LastRun == nil || s.LastRun.Verdict == "" })
	})
	t.Logf("after %s all had run; %d MB, and %d MB when the first had", time.Since(due).Round(time.Second), second.peakMemory(t)>>20, early>>20)
	if peak := second.peakMemory(t); peak > jobsMemory || peak > early+jobsGrowth {
		t.Errorf("the service has used %d MB, %d MB when the first task had ended", peak>>20, early>>20)
	}
	after := second.every(t)
	checkOrder(t, after)
	checkJobs(t, list.Schedules, after, due)
	checkOnce(t, before, after, h.documents(t))
}

// checkOrder makes sure that tasks began in the order in which they were submitted.
func checkOrder(t testing.TB, tasks []api.TaskStatus) {
	t.Helper()
	for i, early := range tasks[:len(tasks)-min(len(tasks), outOfOrder)] {
		if late := tasks[i+outOfOrder]; late.StartedAt.Before(early.StartedAt.Time) {
			t.Errorf("%s, submitted at %s, began before %s, submitted at %s", late.TaskID, late.SubmittedAt, early.TaskID, early.SubmittedAt)
		}
	}
}

// checkJobs checks that each job has run at the minute when it was due, and in the order
// of the file. No job may have run for the days without a service.
func checkJobs(t testing.TB, jobs []api.Schedule, tasks []api.TaskStatus, due time.Time) {
	t.Helper()
	place := map[string]int{}
	for i, status := range tasks {
		place[status.TaskID] = i
	}
	last := -1
	for _, job := range jobs {
		run := job.LastRun
		if job.MissedRuns != 2 || job.SkippedRuns != 0 || !job.LastMissed.Equal(due.Add(-24*time.Hour)) {
			t.Errorf("%s has missed %d runs, the last of %s, and skipped %d", job.Name, job.MissedRuns, job.LastMissed, job.SkippedRuns)
		}
		if !run.DueAt.Equal(due) || run.Verdict != api.VerdictMatch || len(run.Tasks) != 1 {
			t.Errorf("the last run of %s is %+v", job.Name, run)
			continue
		}
		at, known := place[run.Tasks[0].TaskID]
		if !known || at <= last {
			t.Errorf("%s has task %s, number %d after number %d", job.Name, run.Tasks[0].TaskID, at, last)
		}
		last = at
	}
}

// checkOnce checks that all tasks have completed, including those of before the crash,
// and that each has one document. The tasks that had completed before the crash must be
// unchanged. Only the task that was being submitted in the crash may exist twice.
func checkOnce(t testing.TB, before, after []api.TaskStatus, documents []string) {
	t.Helper()
	ended, ids := map[string]api.TaskStatus{}, []string{}
	for _, status := range after {
		ended[status.TaskID] = status
		ids = append(ids, status.TaskID)
		if status.Status != api.StatusCompleted {
			t.Errorf("%s ended %s: %s", status.TaskID, status.Status, status.Error)
		}
	}
	for _, status := range before {
		now, known := ended[status.TaskID]
		if !known || status.Status == api.StatusCompleted && (!now.StartedAt.Equal(status.StartedAt.Time) || !now.FinishedAt.Equal(status.FinishedAt.Time)) {
			t.Errorf("before the crash %+v, after it %+v", status, now)
		}
	}
	slices.Sort(ids)
	if slices.Sort(documents); !slices.Equal(ids, documents) {
		t.Errorf("%d tasks have %d documents", len(ids), len(documents))
	}
	if len(after) < manyJobs || len(after) > manyJobs+1 || len(slices.Compact(ids)) != len(after) {
		t.Errorf("%d jobs have made %d tasks", manyJobs, len(after))
	}
}
