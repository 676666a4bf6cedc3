//go:build !unit

package main

import (
	"testing"
	"time"

	"ace/infra/testbed"
	"ace/shared/api"
)

// A short load loses no task, runs none twice, shows no client an older status, and
// leaves no memory, goroutine or file descriptor in use. Latencies are not judged,
// because other tests run on the same machine.
func TestLoad_NothingIsLostOrRunTwiceOrLeft(t *testing.T) {
	t.Chdir("../..") // the root of the module, where the program is built
	binary, err := testbed.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r, err := load(t.Context(), options{
		binary: binary, store: storeDir, clients: 50, followers: 20, polling: 2 * time.Second, rows: 50_000,
		tasks: 60, queue: 20, commands: 2, round: 40, settle: time.Minute, limit: 3 * time.Minute,
	}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.findings {
		t.Error(f)
	}
}

func TestExecutions_CountsStatementsThatReadRowsByTask(t *testing.T) {
	log := "ace td_20240315_000001|LOG:  execute a: SELECT hash_record_extended(r, 0)\n" +
		"ace td_20240315_000001|LOG:  execute b: SELECT 1\n" +
		"ace td_20240315_000001|STATEMENT:  SELECT hash_record_extended(r, 0)\n" +
		"ace td_20240315_000002_a1|LOG:  execute a: SELECT hash_record_extended(r, 0)\n" +
		"ace td_20240315_000002_a1|LOG:  execute a: SELECT hash_record_extended(r, 0)\n" +
		"psql|LOG:  execute a: SELECT hash_record_extended(r, 0)\n"
	got := executions([]byte(log))
	if len(got) != 2 || got["td_20240315_000001"] != 1 || got["td_20240315_000002_a1"] != 2 {
		t.Errorf("counted %v", got)
	}
}

func TestOlder_NamesWhatWentBack(t *testing.T) {
	at := func(status string, blocks int64) api.TaskStatus {
		return api.TaskStatus{Status: status, Progress: &api.Progress{BlocksDone: blocks}}
	}
	for _, tt := range []struct {
		before, now api.TaskStatus
		back        bool
	}{
		{api.TaskStatus{}, at(api.StatusQueued, 0), false},
		{at(api.StatusQueued, 0), at(api.StatusRunning, 0), false},
		{at(api.StatusRunning, 3), at(api.StatusRunning, 3), false},
		{at(api.StatusRunning, 3), at(api.StatusRunning, 2), true},
		{at(api.StatusRunning, 3), at(api.StatusQueued, 3), true},
		{at(api.StatusCompleted, 3), at(api.StatusRunning, 3), true},
		{at(api.StatusCompleted, 3), at(api.StatusFailed, 3), true},
	} {
		if got := older(tt.before, tt.now); (got != "") != tt.back {
			t.Errorf("%+v after %+v: %q", tt.now, tt.before, got)
		}
	}
}
