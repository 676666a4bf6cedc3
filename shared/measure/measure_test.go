package measure_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"ace/shared/fault"
	"ace/shared/measure"
	"ace/shared/task"
)

var noon = time.Date(2024, 3, 15, 12, 0, 0, 0, time.UTC)

// diff returns the record of a table-diff that ended minutes after noon.
func diff(id string, minutes int, differing int64, parameters string) task.Record {
	finished := noon.Add(time.Duration(minutes) * time.Minute)
	verdict := "match"
	if differing > 0 {
		verdict = "differ"
	}
	return task.Record{
		TaskID: id, Type: task.TableDiff, Status: task.Completed, FinishedAt: &finished, ClusterName: "demo", DBName: "shop", TableName: "public.users",
		Parameters: json.RawMessage(`{"cluster_name":"demo"` + parameters + `}`), Document: &task.Document{Key: "diffs/" + id + ".json"},
		Result: fmt.Appendf(nil, `{"verdict":%q,"mismatched_rows":%d,"summary":{"unsettled_rows":%d}}`, verdict, differing, differing/2),
	}
}

// rerun returns the record of a rerun of the document of another task.
func rerun(id, of string, minutes int, differing int64) task.Record {
	rec := diff(id, minutes, differing, "")
	rec.Type, rec.Input = task.TableRerun, &task.Document{Key: "diffs/" + of + ".json"}
	return rec
}

// limited changes a record to one whose document does not list all rows.
func limited(rec task.Record) task.Record {
	rec.Result = json.RawMessage(`{"verdict":"differ","mismatched_rows":9,"summary":{"diff_row_limit_reached":true}}`)
	return rec
}

func TestComparisonOf_SkipsWhatIsNoCompletedComparison(t *testing.T) {
	good := diff("td_1", 0, 3, "")
	for name, change := range map[string]func(*task.Record){
		"failed":              func(rec *task.Record) { rec.Status = task.Failed },
		"running":             func(rec *task.Record) { rec.Status = task.Running },
		"a repair":            func(rec *task.Record) { rec.Type = task.TableRepair },
		"no document":         func(rec *task.Record) { rec.Document = nil },
		"no end":              func(rec *task.Record) { rec.FinishedAt = nil },
		"no result":           func(rec *task.Record) { rec.Result = nil },
		"no summary":          func(rec *task.Record) { rec.Result = json.RawMessage(`{"verdict":"match"}`) },
		"no verdict":          func(rec *task.Record) { rec.Result = json.RawMessage(`{"summary":{}}`) },
		"unknown parameters":  func(rec *task.Record) { rec.Parameters = json.RawMessage(`{"nodes":5}`) },
		"a rerun of nothing":  func(rec *task.Record) { rec.Type = task.TableRerun },
		"parameters of array": func(rec *task.Record) { rec.Parameters = json.RawMessage(`[]`) },
	} {
		rec := good
		change(&rec)
		if c, ok := measure.ComparisonOf(rec); ok {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if _, ok := measure.ComparisonOf(good); !ok {
		t.Error("a completed comparison is skipped")
	}
}

func TestComparisonOf_AScopeIsFullOnlyIfEverythingIsCompared(t *testing.T) {
	for parameters, want := range map[string]measure.Scope{
		``:                              measure.Full,
		`,"max_diff_rows":5`:            measure.Full,
		`,"table_filter":"id > 5"`:      measure.Partial,
		`,"ignore_columns":["changed"]`: measure.Partial,
		`,"nodes":["n1","n2"]`:          measure.Partial,
	} {
		if c, ok := measure.ComparisonOf(diff("td_1", 0, 0, parameters)); !ok || c.Scope != want {
			t.Errorf("%s: scope %q %v, want %q", parameters, c.Scope, ok, want)
		}
	}
}

// shown is the state of a table in a test.
type shown struct {
	Scope                measure.Scope
	Minutes              float64
	Verdict              string
	Differing, Unsettled int64
}

func states(tables *measure.Tables) []shown {
	all, _ := tables.All()
	var list []shown
	for _, s := range all {
		list = append(list, shown{s.Scope, s.VerifiedAt.Sub(noon).Minutes(), s.Verdict, s.DifferingRows, s.UnsettledRows})
	}
	return list
}

func TestTables_FollowTheLatestComparison(t *testing.T) {
	first := diff("td_1", 0, 4, "")
	for _, tt := range []struct {
		name    string
		records []task.Record
		want    []shown
	}{
		{"one comparison", []task.Record{first}, []shown{{measure.Full, 0, "differ", 4, 2}}},
		{"a later comparison", []task.Record{first, diff("td_2", 60, 0, "")}, []shown{{measure.Full, 60, "match", 0, 0}}},
		{"an earlier comparison", []task.Record{diff("td_2", 60, 0, ""), first}, []shown{{measure.Full, 60, "match", 0, 0}}},
		{"the same comparison again", []task.Record{first, rerun("tr_2", "td_1", 5, 0), first}, []shown{{measure.Full, 0, "match", 0, 0}}},
		{"a partial comparison is separate", []task.Record{first, diff("td_2", 60, 0, `,"nodes":["n1","n2"]`)},
			[]shown{{measure.Full, 0, "differ", 4, 2}, {measure.Partial, 60, "match", 0, 0}}},
		{"a rerun keeps the time", []task.Record{first, rerun("tr_2", "td_1", 5, 0)}, []shown{{measure.Full, 0, "match", 0, 0}}},
		{"a rerun of a rerun", []task.Record{first, rerun("tr_2", "td_1", 5, 2), rerun("tr_3", "tr_2", 9, 0)}, []shown{{measure.Full, 0, "match", 0, 0}}},
		{"a second rerun of the document", []task.Record{first, rerun("tr_2", "td_1", 5, 2), rerun("tr_3", "td_1", 9, 3)}, []shown{{measure.Full, 0, "differ", 3, 1}}},
		{"a rerun of a former rerun covers too few rows",
			[]task.Record{first, rerun("tr_2", "td_1", 5, 0), rerun("tr_3", "td_1", 9, 3), rerun("tr_4", "tr_2", 11, 0)}, []shown{{measure.Full, 0, "differ", 3, 1}}},
		{"a rerun of an older document", []task.Record{first, diff("td_2", 60, 8, ""), rerun("tr_3", "td_1", 65, 0)}, []shown{{measure.Full, 60, "differ", 8, 4}}},
		{"a rerun of a limited document", []task.Record{limited(first), rerun("tr_2", "td_1", 5, 0)}, []shown{{measure.Full, 0, "differ", 9, 0}}},
		{"a rerun of an unknown table", []task.Record{rerun("tr_2", "td_1", 5, 0)}, nil},
		{"a rerun of a partial comparison", []task.Record{diff("td_1", 0, 4, `,"table_filter":"true"`), rerun("tr_2", "td_1", 5, 1)},
			[]shown{{measure.Partial, 0, "differ", 1, 0}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tables := measure.NewTables(10)
			for _, rec := range tt.records {
				c, ok := measure.ComparisonOf(rec)
				if !ok || !tables.Add(c) {
					t.Fatalf("%s is not added", rec.TaskID)
				}
			}
			if d := gocmp.Diff(tt.want, states(tables)); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func TestTables_AreLimited(t *testing.T) {
	tables := measure.NewTables(2)
	for i := range 5 {
		c, _ := measure.ComparisonOf(diff("td_1", i, 0, ""))
		c.TableName = fmt.Sprintf("public.t%d", i%3)
		if got, want := tables.Add(c), i%3 < 2; got != want {
			t.Errorf("table %d: added %v, want %v", i%3, got, want)
		}
	}
	if all, leftOut := tables.All(); len(all) != 2 || leftOut != 1 {
		t.Errorf("%d tables, %d left out", len(all), leftOut)
	}
}

// index is an index in memory: the ids of each table's tasks, newest first.
type index [][]string

func (x index) Tables(_ context.Context, limit int, fn func([]string) bool) error {
	for _, ids := range x {
		if !fn(ids[:min(len(ids), limit)]) {
			return nil
		}
	}
	return nil
}

// records are records in memory that count how often they are read.
type records struct {
	byID map[string]task.Record
	err  error
	read chan string
}

func newRecords(all ...task.Record) records {
	r := records{byID: map[string]task.Record{}, read: make(chan string, 1000)}
	for _, rec := range all {
		r.byID[rec.TaskID] = rec
	}
	return r
}

func (r records) Get(_ context.Context, id string) (task.Record, error) {
	r.read <- id
	rec, ok := r.byID[id]
	if !ok && r.err == nil {
		return rec, fault.New(fault.NotFound, "no task %s", id)
	}
	return rec, r.err
}

func TestRestore_ReadsTheLatestComparisonsOnly(t *testing.T) {
	other := diff("td_5", 50, 7, "")
	other.DBName = "crm"
	all := newRecords(rerun("tr_6", "td_4", 60, 1), other, diff("td_4", 40, 6, ""), diff("td_3", 30, 9, `,"table_filter":"x"`))
	ids := []string{"tr_6", "td_5", "deleted", "td_4", "td_3", "td_2", "td_1"}
	tables := measure.NewTables(10)
	if err := tables.Restore(t.Context(), index{ids, {"deleted"}}, all); err != nil {
		t.Fatal(err)
	}
	want := []shown{{measure.Full, 50, "differ", 7, 3}, {measure.Full, 40, "differ", 1, 0}}
	if d := gocmp.Diff(want, states(tables)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if read := len(all.read); read != 5 {
		t.Errorf("%d records were read, want the four newest of the first table and that of the second", read)
	}
}

func TestRestore_ChangesNothingThatIsNewer(t *testing.T) {
	tables := measure.NewTables(10)
	live, _ := measure.ComparisonOf(diff("td_9", 90, 0, ""))
	tables.Add(live)
	if err := tables.Restore(t.Context(), index{{"td_1"}}, newRecords(diff("td_1", 0, 5, ""))); err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff([]shown{{measure.Full, 90, "match", 0, 0}}, states(tables)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestRestore_EndsAtTheLimitAndWithAnError(t *testing.T) {
	second := diff("td_2", 0, 0, "")
	second.TableName = "public.other"
	all := newRecords(diff("td_1", 0, 0, ""), second)
	tables := measure.NewTables(1)
	if err := tables.Restore(t.Context(), index{{"td_1"}, {"td_2"}, {"td_1"}}, all); err != nil || len(all.read) != 2 {
		t.Errorf("%v after %d reads", err, len(all.read))
	}
	if _, leftOut := tables.All(); leftOut != 1 {
		t.Errorf("%d left out", leftOut)
	}

	all.err = fault.New(fault.Unavailable, "the store is unreachable")
	if err := tables.Restore(t.Context(), index{{"td_1"}}, all); !errors.Is(err, all.err) {
		t.Errorf("the error is %v", err)
	}
}

// recent is a list of recent documents in memory.
type recent struct {
	ids   []string
	since time.Time
}

func (r *recent) Since(_ context.Context, since time.Time, limit int) ([]string, error) {
	r.since = since
	return r.ids[:min(len(r.ids), limit)], nil
}

func TestRefresh_AddsTheComparisonsOfOtherProcesses(t *testing.T) {
	tables := measure.NewTables(10)
	all := newRecords(diff("td_1", 0, 4, ""), rerun("tr_2", "td_1", 5, 0))
	list := &recent{ids: []string{"tr_2", "deleted", "td_1"}}
	for range 2 { // the second call reads the same comparisons again
		if err := tables.Refresh(t.Context(), list, all, noon); err != nil {
			t.Fatal(err)
		}
		if d := gocmp.Diff([]shown{{measure.Full, 0, "match", 0, 0}}, states(tables)); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	}
	if !list.since.Before(noon.Add(-time.Minute)) {
		t.Errorf("documents since %s are listed; the clocks of processes may differ", list.since)
	}

	all.err = fault.New(fault.Unavailable, "the store is unreachable")
	if err := tables.Refresh(t.Context(), list, all, noon); !errors.Is(err, all.err) {
		t.Errorf("the error is %v", err)
	}
}
