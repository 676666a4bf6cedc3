package mcpserver

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ace/shared/api"
)

// aDryRun returns a dry run that was submitted at a time, with an option.
func aDryRun(at time.Time, option string) api.TaskStatus {
	return api.TaskStatus{
		TaskID: "tr_20240315_123456", TaskType: api.TypeTableRepair, Status: api.StatusCompleted, SubmittedAt: api.At(at),
		Parameters: json.RawMessage(`{"cluster_name":"demo","diff_file":"td_20240315_123456","source_of_truth":"n1","table_name":"public.users",` + option + `}`),
		Result:     json.RawMessage(`{"dry_run":true,"nodes":{"n2":{"inserted":1,"updated":2,"deleted":0,"unchanged":7},"n3":{"inserted":0,"updated":0,"deleted":0}}}`),
	}
}

func TestRepairOf_OnlyARecentCompletedDryRunWithoutOptionsMayBeRun(t *testing.T) {
	now := time.Now()
	running := aDryRun(now, `"dry_run":true`)
	running.Status = api.StatusRunning
	for _, tt := range []struct {
		name string
		task api.TaskStatus
		want string // part of the error; "" means that the repair may be run
	}{
		{"a dry run", aDryRun(now, `"dry_run":true`), ""},
		{"an hour ago", aDryRun(now.Add(-59*time.Minute), `"dry_run":true`), ""},
		{"yesterday", aDryRun(now.Add(-24*time.Hour), `"dry_run":true`), "more than an hour old"},
		{"not ended", running, "is RUNNING"},
		{"a repair", aDryRun(now, `"dry_run":false`), "is no dry run"},
		{"triggers", aDryRun(now, `"dry_run":true,"fire_triggers":true`), "a person has to run its repair"},
		{"cascades", aDryRun(now, `"dry_run":true,"allow_cascade":true`), "a person has to run its repair"},
		{"lag", aDryRun(now, `"dry_run":true,"allow_lag":true`), "a person has to run its repair"},
		{"conflicts", aDryRun(now, `"dry_run":true,"allow_conflict":true`), "a person has to run its repair"},
	} {
		req, err := repairOf(tt.task, now)
		if tt.want == "" && (err != nil || req.SourceOfTruth != "n1" || req.Table.String() != "public.users") {
			t.Errorf("%s: %+v, %v", tt.name, req, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

func TestCheckChanges_EveryCountOfEveryNodeMustBeRepeated(t *testing.T) {
	n2, n3 := changes{Inserted: 1, Updated: 2}, changes{}
	task := aDryRun(time.Now(), `"dry_run":true`)
	for _, tt := range []struct {
		name     string
		repeated map[string]changes
		right    bool
	}{
		{"all", map[string]changes{"n2": n2, "n3": n3}, true},
		{"none", nil, false},
		{"one node missing", map[string]changes{"n2": n2}, false},
		{"another node", map[string]changes{"n2": n2, "n4": n3}, false},
		{"one more node", map[string]changes{"n2": n2, "n3": n3, "n4": n3}, false},
		{"another count", map[string]changes{"n2": {Inserted: 1, Updated: 2, Deleted: 1}, "n3": n3}, false},
	} {
		if err := checkChanges(task, tt.repeated); (err == nil) != tt.right {
			t.Errorf("%s: %v", tt.name, err)
		}
	}

	task.Result = json.RawMessage(`{"nodes":{"n2":{}}}`)
	if err := checkChanges(task, map[string]changes{"n2": {}}); err == nil || !strings.Contains(err.Error(), "nothing to change") {
		t.Errorf("a dry run without changes: %v", err)
	}
	task.Result = nil
	if err := checkChanges(task, nil); err == nil {
		t.Error("a dry run without a result is accepted")
	}
}
