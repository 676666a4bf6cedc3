package task_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/shared/fault"
	"ace/shared/task"
)

func TestStatus_TransitionsAreThoseOfTheTable(t *testing.T) {
	allowed := map[task.Status][]task.Status{
		task.Queued:  {task.Queued, task.Running, task.Cancelled},
		task.Running: {task.Running, task.Completed, task.Failed, task.Cancelled},
	}
	for _, from := range task.Statuses() {
		want := make(map[task.Status]bool)
		for _, to := range allowed[from] {
			want[to] = true
		}
		for _, to := range task.Statuses() {
			if got := from.CanBecome(to); got != want[to] {
				t.Errorf("%s can become %s: %v, want %v", from, to, got, want[to])
			}
		}
		if got := from.Terminal(); got != (len(want) == 0) {
			t.Errorf("%s is terminal: %v", from, got)
		}
	}
}

func TestRecord_JSONIsTheGolden(t *testing.T) {
	later := noon.Add(4445 * time.Millisecond)
	rec := task.Record{
		TaskID: "td_20240315_123456", Type: task.TableDiff, Status: task.Completed,
		SubmittedAt: noon, StartedAt: &noon, FinishedAt: &later,
		ClusterName: "my_cluster", DBName: "app", TableName: "public.users",
		Parameters: json.RawMessage(`{"block_rows":10000}`), Attempts: 2,
		Lease: &task.LeaseInfo{Owner: "host-1/4711", Renewals: 3},
		Progress: &task.Progress{
			Phase: "compare", BlocksTotal: 200, BlocksDone: 50, RowsCompared: 500000, RowsTotalEstimate: 2000000,
			MismatchedRows: 5,
		},
		Result:   json.RawMessage(`{"verdict":"differ"}`),
		Document: &task.Document{Key: "diffs/2024-03-15/td_20240315_123456.json", Size: 1234, SHA256: "e3b0c442"},
		Error:    "node n1 is unreachable", ErrorCode: "unavailable",
		Submission: "SUBMISSION", Revision: "REVISION",
	}
	got, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "record.json")
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(bytes.TrimSpace(want)), string(got)); diff != "" {
		t.Errorf("task.json changed its shape (-golden +now):\n%s", diff)
	}
	var back task.Record
	if err := json.Unmarshal(want, &back); err != nil {
		t.Fatal(err)
	}
	again, _ := json.MarshalIndent(back, "", "  ")
	if diff := cmp.Diff(string(got), string(again)); diff != "" {
		t.Errorf("a record does not survive being read (-wrote +read):\n%s", diff)
	}
}

func TestCheckID(t *testing.T) {
	for id, ok := range map[string]bool{
		"td_20240315_123456":         true,
		"tr_20240315_123456":         true,
		"tu_20240315_123456":         true,
		"td_20240315_123456_x1y2z3":  true,
		"":                           false,
		"tx_20240315_123456":         false,
		"td_20240315_12345":          false,
		"td_20240315_123456_x1y2z":   false,
		"td_20240315_123456_X1Y2Z3":  false,
		"td_20240315_123456_x1y2z34": false,
		"td_20240315_123456/../x":    false,
		"td_20240315_123456\n":       false,
		" td_20240315_123456":        false,
		"td_２0240315_123456":         false,
	} {
		err := task.CheckID(id)
		if ok && err != nil {
			t.Errorf("%q is refused: %v", id, err)
		}
		if !ok && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q returns %v, want an Invalid fault", id, err)
		}
	}
}

func FuzzCheckID(f *testing.F) {
	f.Add("td_20240315_123456")
	f.Add("tr_20240315_123456_x1y2z3")
	f.Add("td_20240315_123456/../../x")
	f.Fuzz(func(t *testing.T, id string) {
		if task.CheckID(id) != nil {
			return
		}
		if n := len(id); n != len("td_20240315_123456") && n != len("td_20240315_123456_x1y2z3") {
			t.Errorf("%q has %d bytes", id, n)
		}
		if strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("%q cannot be part of a key", id)
		}
	})
}
