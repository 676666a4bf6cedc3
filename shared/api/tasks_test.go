package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"ace/shared/api"
	"ace/shared/fault"
)

func TestParseTaskID(t *testing.T) {
	for _, id := range []string{"td_20240315_123456", "tr_20240315_123456", "tu_20240315_123456", "td_20240315_123456_0a9z00"} {
		if got, err := api.ParseTaskID(id); err != nil || got != id {
			t.Errorf("ParseTaskID(%q) = %q, %v", id, got, err)
		}
	}
	for _, id := range []string{
		"", "td", "tx_20240315_123456", "td_20240315_12345", "td_20240315_123456_", "td_20240315_123456_ABCDEF",
		"td_20240315_123456_abcdefg", "td_20240315_123456\n", "../td_20240315_123456", "td_20240315_123456/..", "td_２0240315_123456",
	} {
		if _, err := api.ParseTaskID(id); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("ParseTaskID(%q) returned %v, want a fault with code not_found", id, err)
		}
	}
}

func TestTime_IsUTCWithMilliseconds(t *testing.T) {
	moment := time.Date(2024, 3, 15, 13, 34, 56, 789_999_999, time.FixedZone("CET", 3600))
	data, err := json.Marshal(api.Submitted{TaskID: "td_20240315_123456", SubmittedAt: api.At(moment)})
	if want := `{"task_id":"td_20240315_123456","submitted_at":"2024-03-15T12:34:56.789Z"}`; err != nil || string(data) != want {
		t.Fatalf("got %s, %v, want %s", data, err, want)
	}
	var got api.Submitted
	if err := json.Unmarshal(data, &got); err != nil || !got.SubmittedAt.Equal(api.At(moment).Time) {
		t.Errorf("read back as %v, %v", got.SubmittedAt, err)
	}
	for _, bad := range []string{`"2024-03-15"`, `"2024-03-15T12:34:56.789+01:00"`, `"2024-03-15T12:34:56Z"`, `5`} {
		if err := json.Unmarshal([]byte(bad), new(api.Time)); err == nil {
			t.Errorf("%s is read as a time", bad)
		}
	}
}

func TestTaskStatus_HasTheJSONOfTheReference(t *testing.T) {
	at := func(s string) api.Time {
		var out api.Time
		if err := out.UnmarshalJSON([]byte(`"` + s + `"`)); err != nil {
			t.Fatal(err)
		}
		return out
	}
	taken, eta := api.Seconds(4.5), 12.5
	result, err := json.Marshal(api.DiffResult{
		DiffFile: "diffs/2024-03-15/td_20240315_123456.json", TotalRows: 10000, MismatchedRows: 5,
		Summary: json.RawMessage(`{}`), Verdict: api.VerdictDiffer,
	})
	if err != nil {
		t.Fatal(err)
	}
	common := api.TaskStatus{
		TaskID: "td_20240315_123456", TaskType: "table-diff", Status: api.StatusQueued,
		SubmittedAt: at("2024-03-15T12:34:56.000Z"), ClusterName: "demo", TableName: "public.users",
	}
	tail := `"submitted_at":"2024-03-15T12:34:56.000Z","cluster_name":"demo","table_name":"public.users"`
	tests := []struct {
		name   string
		change func(*api.TaskStatus)
		want   string
	}{
		{"queued", func(*api.TaskStatus) {}, `{"task_id":"td_20240315_123456","task_type":"table-diff","status":"QUEUED",` + tail + `}`},
		{"running", func(s *api.TaskStatus) {
			s.Status, s.StartedAt = api.StatusRunning, at("2024-03-15T12:34:56.789Z")
			s.Progress = &api.Progress{Phase: "compare", BlocksTotal: 8, BlocksDone: 2, Percent: 25, ETASeconds: &eta}
		}, `{"task_id":"td_20240315_123456","task_type":"table-diff","status":"RUNNING","started_at":"2024-03-15T12:34:56.789Z",` + tail +
			`,"progress":{"phase":"compare","blocks_total":8,"blocks_done":2,"rows_compared":0,"rows_total_estimate":0,` +
			`"mismatched_rows":0,"percent":25,"rows_per_second":0,"eta_seconds":12.5}}`},
		{"completed", func(s *api.TaskStatus) {
			s.Status, s.TimeTaken, s.Result = api.StatusCompleted, &taken, result
			s.StartedAt, s.FinishedAt = at("2024-03-15T12:34:56.789Z"), at("2024-03-15T12:35:01.234Z")
		}, `{"task_id":"td_20240315_123456","task_type":"table-diff","status":"COMPLETED","started_at":"2024-03-15T12:34:56.789Z",` +
			`"finished_at":"2024-03-15T12:35:01.234Z","time_taken":4.500,"result":{"diff_file":"diffs/2024-03-15/td_20240315_123456.json",` +
			`"total_rows":10000,"mismatched_rows":5,"summary":{},"verdict":"differ"},` + tail + `}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status := common
			tt.change(&status)
			if data, err := json.Marshal(status); err != nil || string(data) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", data, err, tt.want)
			}
		})
	}
}

func TestDecodeTasks(t *testing.T) {
	tests := []struct {
		query string
		want  api.TasksRequest
		err   string
	}{
		{"", api.TasksRequest{Limit: 50}, ""},
		{"cluster_name=demo&table_name=PUBLIC.users&status=RUNNING&limit=1000&after=9223_x-td_20240315_123456", api.TasksRequest{
			ClusterName: "demo", TableName: api.TableName{Schema: "public", Name: "users"},
			Status: "RUNNING", Limit: 1000, After: "9223_x-td_20240315_123456"}, ""},
		{"task_type=table-undo", api.TasksRequest{TaskType: "table-undo", Limit: 50}, ""},
		{"task_type=undo", api.TasksRequest{}, `task_type is "undo"; it must be table-diff, table-rerun, table-repair, table-undo, schema-diff, repset-diff or replication-diff`},
		{"status=running", api.TasksRequest{}, `status is "running"; it must be QUEUED, RUNNING, COMPLETED, FAILED or CANCELLED`},
		{"limit=0", api.TasksRequest{}, `limit is "0"; it must be a whole number from 1 to 1000`},
		{"limit=1001", api.TasksRequest{}, `limit is "1001"; it must be a whole number from 1 to 1000`},
		{"cluster_name=/", api.TasksRequest{}, `cluster_name is "/"; it must be 1 to 63 of the characters A-Z a-z 0-9 . _ - with a letter or digit first`},
		{"after=%00", api.TasksRequest{}, "after contains a NUL character, which PostgreSQL does not allow"},
		{"after=a+b", api.TasksRequest{}, `after is "a b"; it must be the value of next of the previous page`},
		{"offset=5", api.TasksRequest{}, `unknown parameter "offset"; the parameters are cluster_name, table_name, task_type, status, parent, limit, after`},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			params, err := api.ParseParams(tt.query, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := api.DecodeTasks(params)
			if tt.err != "" {
				if fault.CodeOf(err) != fault.Invalid || fault.PublicMessage(err) != tt.err {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestDecodeDiff(t *testing.T) {
	tests := []struct {
		id, query string
		want      api.DiffRequest
		err       string
	}{
		{"td_20240315_123456", "", api.DiffRequest{TaskID: "td_20240315_123456", Format: "json"}, ""},
		{"td_20240315_123456", "format=json", api.DiffRequest{TaskID: "td_20240315_123456", Format: "json"}, ""},
		{"td_20240315_123456", "format=csv", api.DiffRequest{TaskID: "td_20240315_123456", Format: "csv"}, ""},
		{"td_20240315_123456", "format=html", api.DiffRequest{TaskID: "td_20240315_123456", Format: "html"}, ""},
		{"td_20240315_123456", "format=html&download=1", api.DiffRequest{TaskID: "td_20240315_123456", Format: "html", Download: true}, ""},
		{"td_20240315_123456", "format=pdf", api.DiffRequest{}, `format is "pdf"; it must be json, csv or html`},
		{"nonsense", "", api.DiffRequest{}, `there is no task "nonsense", task ids look like td_20240315_123456`},
	}
	for _, tt := range tests {
		t.Run(tt.id+"?"+tt.query, func(t *testing.T) {
			params, err := api.ParseParams(tt.query, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := api.DecodeDiff(params.WithArg(tt.id))
			if tt.err != "" {
				if err == nil || fault.PublicMessage(err) != tt.err {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestRoutes_MatchOnlyTheirOwnPath(t *testing.T) {
	for _, route := range api.Routes() {
		path := route.Path("td_20240315_123456")
		if arg, ok := route.Match(path + "/"); !ok || strings.HasSuffix(arg, "/") {
			t.Errorf("%s matches %s/: %v, with the argument %q", route, path, ok, arg)
		}
		for _, other := range api.Routes() {
			if _, ok := other.Match(path); ok != (other == route) {
				t.Errorf("%s matches %s: %v", other, path, ok)
			}
		}
	}
	for _, path := range []string{"/ace/task-status/", "/ace/task-status", "/ace/task-status/a/b", "/ace/tasks/x", "/ace/tasks/x/", "/ace/table-diff//", "/ace/task-status//", "/ace/task-status/a//", "", "/", "//"} {
		for _, route := range api.Routes() {
			if _, ok := route.Match(path); ok {
				t.Errorf("%s matches %q", route, path)
			}
		}
	}
}
