package api_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"ace/shared/api"
)

func TestDecodeTableRepair(t *testing.T) {
	const query = ofDocument + "&source_of_truth=n1"
	standard := api.TableRepairRequest{
		ClusterName: "demo", DiffFile: api.DiffFile{TaskID: "td_20240315_123456"}, SourceOfTruth: "n1",
		Table: api.TableName{Schema: "public", Name: "users"},
	}
	with := func(change func(*api.TableRepairRequest)) api.TableRepairRequest {
		req := standard
		change(&req)
		return req
	}
	tests := []struct {
		name, query string
		want        api.TableRepairRequest
	}{
		{"nothing is on by default", query, standard},
		{"all nodes are the default", query + "&nodes=all", standard},
		{"one node is enough", query + "&nodes=n2", with(func(r *api.TableRepairRequest) { r.Nodes = []string{"n2"} })},
		{"upsert_only", query + "&upsert_only=1&insert_only=0", with(func(r *api.TableRepairRequest) { r.UpsertOnly = true })},
		{"insert_only", query + "&insert_only=t", with(func(r *api.TableRepairRequest) { r.InsertOnly = true })},
		{"the rest", query + "&dbname=acedb&dry_run=yes&quiet=1&generate_report=true&fire_triggers=true&allow_cascade=1&allow_lag=T&allow_conflict=1",
			with(func(r *api.TableRepairRequest) {
				r.DBName, r.DryRun, r.Quiet, r.GenerateReport = "acedb", true, true, true
				r.FireTriggers, r.AllowCascade, r.AllowLag, r.AllowConflict = true, true, true, true
			})},
		{"the default of resolve", query + "&resolve=source_of_truth", standard},
		{"newest", query + "&resolve=newest&nodes=n1", with(func(r *api.TableRepairRequest) {
			r.Resolve, r.Missing, r.MaxClockSkew, r.Nodes = api.ResolveNewest, api.MissingInsert, skew(api.DefaultClockSkew), []string{"n1"}
		})},
		{"newest without a tie-breaker", ofDocument + "&resolve=newest&missing=delete&max_clock_skew=0", with(func(r *api.TableRepairRequest) {
			r.SourceOfTruth, r.Resolve, r.Missing, r.MaxClockSkew = "", api.ResolveNewest, api.MissingDelete, skew(0)
		})},
		{"majority", ofDocument + "&resolve=majority", with(func(r *api.TableRepairRequest) { r.SourceOfTruth, r.Resolve = "", api.ResolveMajority })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := decode(t, api.DecodeTableRepair, tt.query)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
			checkJSON(t, got)
		})
	}
}

func skew(d api.Duration) *api.Duration { return &d }

func TestDecodeTableUndo(t *testing.T) {
	if got, want := decode(t, api.DecodeTableUndo, "task_id=tr_20240315_123456"), (api.TableUndoRequest{TaskID: "tr_20240315_123456"}); got != want {
		t.Errorf("got %+v", got)
	}
	got := decode(t, api.DecodeTableUndo, "task_id=tr_20240315_123456_0a9z00&dry_run=1&quiet=1&fire_triggers=1&allow_cascade=1&allow_lag=1")
	want := api.TableUndoRequest{TaskID: "tr_20240315_123456_0a9z00", DryRun: true, Quiet: true, FireTriggers: true, AllowCascade: true, AllowLag: true}
	if got != want {
		t.Errorf("got %+v", got)
	}
	checkJSON(t, got)
}

func TestRepairResult_HasTheJSONOfTheReference(t *testing.T) {
	tests := []struct {
		name   string
		result any
		want   string
	}{
		{"a repair", api.RepairResult{SourceOfTruth: "n1", ReportFile: "reports/2024-03-15/tr_20240315_123456.json", Nodes: map[string]api.NodeRepair{
			"n2": {Inserted: 1, Updated: 2, Deleted: 3, Unchanged: 4, Skipped: 5, Outcome: api.OutcomeCommitted},
		}}, `{"source_of_truth":"n1","dry_run":false,"nodes":{"n2":{"inserted":1,"updated":2,"deleted":3,"unchanged":4,"skipped":5,` +
			`"outcome":"committed"}},"report_file":"reports/2024-03-15/tr_20240315_123456.json"}`},
		{"a dry run", api.RepairResult{SourceOfTruth: "n1", DryRun: true, Nodes: map[string]api.NodeRepair{"n2": {}}},
			`{"source_of_truth":"n1","dry_run":true,"nodes":{"n2":{"inserted":0,"updated":0,"deleted":0,"unchanged":0,"skipped":0}}}`},
		{"an undo", api.UndoResult{TaskID: "tr_20240315_123456", Nodes: map[string]api.NodeUndo{
			"n2": {NodeRepair: api.NodeRepair{Skipped: 1, Outcome: api.OutcomeCommitted}, SkippedKeys: [][]string{{"7"}}},
		}},
			`{"task_id":"tr_20240315_123456","dry_run":false,"nodes":{"n2":{"inserted":0,"updated":0,"deleted":0,"unchanged":0,"skipped":1,` +
				`"outcome":"committed","skipped_keys":[["7"]]}}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if data, err := json.Marshal(tt.result); err != nil || string(data) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", data, err, tt.want)
			}
		})
	}
}
