package notify_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"ace/shared/api"
	"ace/shared/notify"
	"ace/shared/task"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rowValue is a value of a row. It is in every part of a record that can quote one.
const rowValue = "tromsø-4711"

var ended = time.Date(2024, 3, 15, 12, 34, 57, 938_000_000, time.UTC)

// record returns a record of a task that has ended.
func record(id string, of task.Type, status task.Status, result any) task.Record {
	submitted, started, finished := ended.Add(-1149*time.Millisecond), ended.Add(-1145*time.Millisecond), ended
	raw, err := json.Marshal(result)
	if err != nil {
		panic(err)
	}
	return task.Record{
		TaskID: id, Type: of, Status: status, SubmittedAt: submitted, StartedAt: &started, FinishedAt: &finished,
		ClusterName: "demo", DBName: "app", TableName: "public.users", Attempts: 1,
		Parameters: json.RawMessage(`{"table_filter":"name = '` + rowValue + `'"}`),
		Result:     raw, Submission: "ULSNUM3Q2XB5TPWLJ6FJ3MZUUF", Revision: "R",
	}
}

func comparison(verdict string, mismatched int64) api.DiffResult {
	return api.DiffResult{
		DiffFile: "diffs/2024-03-15/td_20240315_123456.json", TotalRows: 50_001, MismatchedRows: mismatched, Verdict: verdict,
		Summary: json.RawMessage(`{"unsettled_rows":` + strconv.FormatInt(min(mismatched, 1), 10) + `,"warnings":["` + rowValue + `"],"table_filter":"` + rowValue + `"}`),
	}
}

func repaired(outcome string) map[string]api.NodeRepair {
	return map[string]api.NodeRepair{
		"n2": {
			Inserted: 1, Updated: 3, Unchanged: 2, Skipped: 1, Outcome: outcome, Error: rowValue,
			Unrepairable: 1, UnrepairableKeys: [][]string{{rowValue}},
		},
		"n3": {Outcome: outcome},
	}
}

// records returns a record for each golden file.
func records() map[string]task.Record {
	document := &task.Document{Key: "diffs/2024-03-15/td_20240315_123456.json"}
	differs := record("td_20240315_123456", task.TableDiff, task.Completed, comparison(api.VerdictDiffer, 4))
	differs.Document = document
	matches := record("td_20240315_123456", task.TableDiff, task.Completed, comparison(api.VerdictMatch, 0))
	matches.Document, matches.Scheduled = document, true

	failed := record("td_20240315_123456", task.TableDiff, task.Failed, nil)
	failed.ErrorCode = "invalid"
	failed.Error = `node "n2": comparing blocks: invalid input syntax for type integer: "` + rowValue + `" (SQLSTATE 22P02) (column "t"."g" of the row with the key ('` + rowValue + `'))`
	noRunner := record("td_20240315_123456", task.TableDiff, task.Failed, nil)
	noRunner.ErrorCode, noRunner.Error = "internal", "the task was given up after 20 attempts, none of which ended it"
	cancelled := record("td_20240315_123456", task.TableDiff, task.Cancelled, nil)
	cancelled.ErrorCode, cancelled.Error, cancelled.StartedAt = "cancelled", task.CancelledOnRequest, nil

	fix := record("tr_20240315_123456", task.TableRepair, task.Completed, api.RepairResult{
		SourceOfTruth: "n1", Nodes: repaired(api.OutcomeCommitted), ReportFile: "r", Warnings: []string{rowValue},
	})
	fix.Report = &task.Document{Key: "r"}
	partly := record("tr_20240315_123456", task.TableRepair, task.Failed, api.RepairResult{
		SourceOfTruth: "n1", Nodes: map[string]api.NodeRepair{"n2": {Updated: 3, Outcome: api.OutcomeCommitted}, "n3": {Outcome: api.OutcomeUnknown, Error: rowValue}},
	})
	partly.ErrorCode, partly.Error = "unavailable", `node "n3" (10.0.0.3:5432) is unreachable: connection refused`

	return map[string]task.Record{
		"differs": differs, "matches": matches, "failed": failed, "failed-without-node": noRunner, "cancelled": cancelled,
		"repaired": fix, "repair-failed": partly,
		"dry-run": record("tr_20240315_123456", task.TableRepair, task.Completed, api.RepairResult{SourceOfTruth: "n1", DryRun: true, Nodes: repaired("")}),
		"undone": record("tu_20240315_123456", task.TableUndo, task.Completed, api.UndoResult{
			TaskID: "tr_20240315_120000", Nodes: map[string]api.NodeUndo{"n2": {NodeRepair: repaired(api.OutcomeCommitted)["n2"], SkippedKeys: [][]string{{rowValue}}}},
		}),
		"completed": record("td_20240315_123456", "of-a-later-version", task.Completed, map[string]any{"verdict": 7, "nodes": []string{rowValue}, "total_rows": 3}),
	}
}

func TestEventOf_IsTheDocumentedJSONWithoutValuesOfRows(t *testing.T) {
	for name, rec := range records() {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(notify.EventOf(rec), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(got, []byte(rowValue)) {
				t.Errorf("the event has the value of a row:\n%s", got)
			}
			path := filepath.Join("testdata", "events", name+".json")
			if *update {
				if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}

func TestEventOf_HasEveryType(t *testing.T) {
	found := map[string]bool{}
	for _, rec := range records() {
		found[notify.EventOf(rec).Type] = true
	}
	if got, want := slices.Sorted(maps.Keys(found)), slices.Sorted(slices.Values(api.EventTypes())); !slices.Equal(got, want) {
		t.Errorf("the golden files have the types %v, want %v", got, want)
	}
}

// Tasks that two installations submit in the same second may have the same id.
func TestEventOf_TheIDIsOfOneTaskOfOneInstallation(t *testing.T) {
	rec := records()["differs"]
	other := rec
	other.Submission = "another"
	first, again, of := notify.EventOf(rec).ID, notify.EventOf(rec).ID, notify.EventOf(other).ID
	if first != again || first == of || !strings.Contains(first, rec.TaskID) || strings.Contains(first, ".") {
		t.Errorf("the ids are %s, %s, %s", first, again, of)
	}
}

// docs/NOTIFICATIONS.md shows the first golden file.
func TestDocs_ShowAnEvent(t *testing.T) {
	page, err := os.ReadFile("../../docs/NOTIFICATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/events/differs.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page, golden) {
		t.Errorf("docs/NOTIFICATIONS.md does not show testdata/events/differs.json:\n%s", golden)
	}
	for _, name := range api.EventTypes() {
		if !bytes.Contains(page, []byte("`"+name+"`")) {
			t.Errorf("docs/NOTIFICATIONS.md does not describe %s", name)
		}
	}
}
