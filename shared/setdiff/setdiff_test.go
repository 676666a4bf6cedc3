package setdiff_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/finding"
	"ace/shared/patience"
	"ace/shared/setdiff"
	"ace/shared/setfile"
	"ace/shared/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outcome is how the task of a table ends in a test. It is an api.Set... verdict, or one
// of the following.
type outcome string

const (
	cancelled  outcome = "cancelled"
	otherNodes outcome = "compared on one node less"
	noResult   outcome = "completed without a result"
)

// bench is a parent. Its tables end as outcomes requires.
type bench struct {
	store  *faulty.Store
	tasks  *task.Registry
	parent task.Record

	mu       sync.Mutex
	outcomes map[string]outcome // by table
	ran      map[string]int     // number of runs of each table's task
	crash    string             // the table at which the process dies
	listed   int                // calls of Read
	findings []finding.Finding
}

var errCrash = errors.New("the process died")

func newBench(t testing.TB, outcomes map[string]outcome) *bench {
	store := faulty.Wrap(memstore.New(t))
	b := &bench{store: store, tasks: task.NewRegistry(store, time.Now), outcomes: outcomes, ran: map[string]int{}}
	rec, err := b.tasks.Create(context.Background(), task.New{
		Type: task.SchemaDiff, ClusterName: "demo", DBName: "shop", TableName: "public.*", Parameters: json.RawMessage(`{}`), Scheduled: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	lease, err := b.tasks.Acquire(context.Background(), rec.TaskID, "test", task.AcquireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b.parent = lease.Record()
	return b
}

// Read implements setdiff.Source.
func (b *bench) Read(context.Context) (setdiff.Set, error) {
	b.listed++
	set := setdiff.Set{Findings: b.findings}
	for i := range len(b.outcomes) {
		name := api.TableName{Schema: "public", Name: fmt.Sprintf("t%d", i)}
		t := setdiff.Table{Name: name, Rows: int64(i)}
		switch of := string(b.outcomes[name.Name]); of {
		case api.SetMissing, api.SetKeyless, api.SetSkipped:
			t.Verdict, t.Reason = of, "because"
		}
		set.Tables = append(set.Tables, t)
	}
	return set, nil
}

// RunChild implements setdiff.Runner: it ends the task as outcomes says.
func (b *bench) RunChild(ctx context.Context, parent, taskID string) error {
	lease, err := b.tasks.Acquire(ctx, taskID, "test", task.AcquireOptions{})
	switch {
	case fault.CodeOf(err) == fault.Conflict: // another process runs it, or it has ended
		return nil
	case err != nil:
		return err
	}
	rec := lease.Record()
	table, err := api.ParseTableName(rec.TableName)
	if err != nil || rec.Parent != parent || !rec.Scheduled {
		return fmt.Errorf("the task is %+v", rec)
	}
	b.mu.Lock()
	of, crash := b.outcomes[table.Name], b.crash == table.Name
	b.ran[table.Name]++
	b.mu.Unlock()
	if crash {
		return errCrash
	}
	_, err = lease.Finish(ctx, end(of))
	if err == nil {
		err = lease.Clear(ctx)
	}
	return err
}

func end(of outcome) task.Outcome {
	result := `{"verdict":"match","total_rows":10,"mismatched_rows":0,"diff_file":"d","summary":{"nodes":["n1","n2"]}}`
	switch of {
	case api.SetDifferent:
		result = `{"verdict":"differ","total_rows":10,"mismatched_rows":3,"diff_file":"d","summary":{"nodes":["n1","n2"]}}`
	case api.SetFailed:
		return task.Outcome{Status: task.Failed, Error: fault.New(fault.Unavailable, "node n2 is gone")}
	case cancelled:
		return task.Outcome{Status: task.Cancelled, Error: fault.New(fault.Cancelled, "cancelled on request")}
	case otherNodes:
		result = `{"verdict":"match","total_rows":10,"summary":{"nodes":["n1"]}}`
	case noResult:
		result = `{}`
	}
	return task.Outcome{Status: task.Completed, Result: json.RawMessage(result)}
}

func (b *bench) run(ctx context.Context, change func(*setdiff.Request)) (setdiff.Result, task.Progress, error) {
	var mu sync.Mutex
	var last task.Progress
	coordinator := setdiff.New(setdiff.Options{Store: b.store, Tasks: b.tasks, Runner: b, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	req := setdiff.Request{
		Parent: b.parent, Source: b, AtOnce: 3, Patience: patience.Budget{},
		TableDiff: func(name api.TableName) api.TableDiffRequest {
			return api.TableDiffRequest{ClusterName: "demo", Table: name}
		},
		Summary: setfile.Summary{TaskID: b.parent.TaskID, Nodes: []string{"n1", "n2"}, StartedAt: api.At(*b.parent.StartedAt)},
	}
	if change != nil {
		change(&req)
	}
	result, err := coordinator.Run(ctx, req, func(p task.Progress) {
		mu.Lock()
		defer mu.Unlock()
		last = p
	})
	return result, last, err
}

func TestRun_TheVerdictIsThatOfAllTables(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		outcomes []outcome
		findings []finding.Finding
		verdict  string
		fails    fault.Code
		counts   api.SetTables
	}{
		{"all identical", []outcome{api.SetIdentical, api.SetIdentical}, nil, "match", "", api.SetTables{Identical: 2}},
		{"one skipped", []outcome{api.SetIdentical, api.SetSkipped}, nil, "match", "", api.SetTables{Identical: 1, Skipped: 1}},
		{"one different", []outcome{api.SetIdentical, api.SetDifferent}, nil, "differ", "", api.SetTables{Identical: 1, Different: 1}},
		{"one missing", []outcome{api.SetIdentical, api.SetMissing}, nil, "differ", "", api.SetTables{Identical: 1, Missing: 1}},
		{"one without a key", []outcome{api.SetIdentical, api.SetKeyless}, nil, "", fault.Invalid, api.SetTables{Identical: 1, Keyless: 1}},
		{"one failed", []outcome{api.SetIdentical, api.SetFailed}, nil, "", fault.Unavailable, api.SetTables{Identical: 1, Failed: 1}},
		{"one failed, one different", []outcome{api.SetDifferent, api.SetFailed}, nil, "differ", fault.Unavailable, api.SetTables{Different: 1, Failed: 1}},
		{"one cancelled", []outcome{api.SetIdentical, cancelled}, nil, "", fault.Invalid, api.SetTables{Identical: 1, Failed: 1}},
		{"compared on fewer nodes", []outcome{api.SetIdentical, otherNodes}, nil, "", fault.Invalid, api.SetTables{Identical: 1, Failed: 1}},
		{"without a result", []outcome{api.SetIdentical, noResult}, nil, "", fault.Invalid, api.SetTables{Identical: 1, Failed: 1}},
		{"a finding that blocks", []outcome{api.SetIdentical}, []finding.Finding{{Rank: finding.Blocks}}, "differ", "", api.SetTables{Identical: 1}},
		{"a finding that drifts", []outcome{api.SetIdentical}, []finding.Finding{{Rank: finding.Drifts}}, "differ", "", api.SetTables{Identical: 1}},
		{"a finding that only differs", []outcome{api.SetIdentical}, []finding.Finding{{Rank: finding.Differs}}, "match", "", api.SetTables{Identical: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			outcomes := map[string]outcome{}
			for i, of := range tt.outcomes {
				outcomes[fmt.Sprintf("t%d", i)] = of
			}
			b := newBench(t, outcomes)
			b.findings = tt.findings
			result, progress, err := b.run(t.Context(), nil)
			summary := result.Content.Summary
			if summary.Verdict != tt.verdict || fault.CodeOf(err) != tt.fails || summary.Tables != tt.counts {
				t.Errorf("verdict %q, %+v, error %v", summary.Verdict, summary.Tables, err)
			}
			if (summary.Error == "") != (err == nil) || result.Document.Key == "" {
				t.Errorf("the document %q has the error %q", result.Document.Key, summary.Error)
			}
			if progress.TablesDone != progress.TablesTotal || progress.MismatchedRows != summary.MismatchedRows {
				t.Errorf("the last progress is %+v", progress)
			}
		})
	}
}

// TestRun_AnInterruptedRunIsContinued lets the process die at every table in turn.
func TestRun_AnInterruptedRunIsContinued(t *testing.T) {
	t.Parallel()
	outcomes := map[string]outcome{"t0": api.SetIdentical, "t1": api.SetDifferent, "t2": api.SetIdentical, "t3": api.SetKeyless, "t4": api.SetFailed}
	var want setfile.Document
	for _, crash := range []string{"", "t4", "t2", "t1", "t0"} {
		b := newBench(t, outcomes)
		b.tasks = b.tasks.WithLease(time.Nanosecond) // so that the lease of the process that died has expired
		b.crash = crash
		oneByOne := func(r *setdiff.Request) { r.AtOnce = 1 }
		result, _, err := b.run(t.Context(), oneByOne)
		if crash != "" {
			if !errors.Is(err, errCrash) || result.Document.Key != "" || result.Content.Summary.Verdict == api.VerdictMatch {
				t.Fatalf("%s: %v, %+v", crash, err, result.Content.Summary)
			}
			time.Sleep(1100 * time.Millisecond) // the store's clock has whole seconds
			b.mu.Lock()
			b.crash = ""
			b.mu.Unlock()
			result, _, err = b.run(t.Context(), oneByOne)
		}
		if fault.CodeOf(err) != fault.Unavailable {
			t.Fatalf("%s: %v", crash, err)
		}
		for table, runs := range b.ran {
			if runs != 1 && table != crash {
				t.Errorf("%s: %s was compared %d times", crash, table, runs)
			}
		}
		if b.listed != 1 {
			t.Errorf("%s: the tables were listed %d times", crash, b.listed)
		}

		got := result.Content
		for i := range got.Tables {
			got.Tables[i].TaskID = ""
		}
		if want.Format == "" {
			want = got
		}
		if diff := gocmp.Diff(want.Tables, got.Tables); diff != "" {
			t.Errorf("%s (-uninterrupted +continued):\n%s", crash, diff)
		}
	}
}

func TestRun_FailFastStopsAtTheFirstTableThatIsNotIdentical(t *testing.T) {
	t.Parallel()
	for _, of := range []outcome{api.SetDifferent, api.SetFailed} {
		b := newBench(t, map[string]outcome{"t0": api.SetIdentical, "t1": of, "t2": api.SetIdentical})
		result, _, err := b.run(t.Context(), func(r *setdiff.Request) { r.AtOnce, r.FailFast = 1, true })
		verdicts := []string{}
		for _, table := range result.Content.Tables {
			verdicts = append(verdicts, table.Verdict)
		}
		// Large tables are first.
		if diff := gocmp.Diff([]string{api.SetSkipped, string(of), api.SetIdentical}, verdicts); diff != "" || result.Content.Summary.Verdict == api.VerdictMatch {
			t.Errorf("%s: %v %s", of, err, diff)
		}
	}
}

func TestRun_AnEarlierDocumentIsTheResult(t *testing.T) {
	t.Parallel()
	b := newBench(t, map[string]outcome{"t0": api.SetIdentical})
	first, _, err := b.run(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := b.run(t.Context(), nil)
	if err != nil || again.Document != first.Document {
		t.Errorf("%v, the document is %+v, want %+v", err, again.Document, first.Document)
	}
	stored, err := setfile.Encode(again.Content)
	if err != nil || int64(len(stored)) != first.Document.Size {
		t.Errorf("%v, %d bytes, want %d", err, len(stored), first.Document.Size)
	}
	if _, err := b.store.Stat(t.Context(), archive.PlanKey(b.parent.TaskID)); err != nil {
		t.Error(err)
	}
}

func TestRun_ACancelledRunHasNoDocumentAndNoMatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, map[string]outcome{"t0": api.SetIdentical, "t1": api.SetIdentical})
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := fault.New(fault.Cancelled, "cancelled on request")
	result, _, err := b.run(ctx, func(r *setdiff.Request) {
		r.AtOnce = 1
		request := r.TableDiff
		r.TableDiff = func(name api.TableName) api.TableDiffRequest {
			if name.Name == "t0" { // the second table to run, because large tables are first
				cancel(stop)
			}
			return request(name)
		}
	})
	if !errors.Is(err, stop) || result.Document.Key != "" || result.Content.Summary.Verdict != "" {
		t.Errorf("%v, %+v", err, result.Content.Summary)
	}
	if counts := (api.SetTables{Identical: 1, Failed: 1}); result.Content.Summary.Tables != counts {
		t.Errorf("counted are %+v", result.Content.Summary.Tables)
	}
}

// The rows of a table that one of three nodes lacks are compared on the others.
func TestRun_ComparesTheNodesThatHaveAMissingTable(t *testing.T) {
	t.Parallel()
	for of, remark := range map[outcome]string{
		api.SetIdentical: "because; the rows on n1 and n2 are identical", api.SetDifferent: "because; the rows on n1 and n2 differ",
		api.SetFailed: "because; the rows on n1 and n2 could not be compared: node n2 is gone",
	} {
		b := newBench(t, map[string]outcome{"t0": of, "t1": api.SetMissing})
		result, progress, err := b.run(t.Context(), func(r *setdiff.Request) {
			r.Source = missingOnThree{b}
			r.Summary.Nodes = []string{"n1", "n2", "n3"}
		})
		summary := result.Content.Summary
		if err != nil || summary.Verdict != api.VerdictDiffer || summary.Tables != (api.SetTables{Missing: 2}) || progress.TablesTotal != 1 || progress.TablesDone != 1 {
			t.Errorf("%s: %v, %+v, %+v", of, err, summary, progress)
		}
		got := result.Content.Tables[0]
		if got.Error != remark || got.Verdict != api.SetMissing || len(got.MissingOn) != 1 || (got.MismatchedRows > 0) != (of == api.SetDifferent) || got.TaskID == "" {
			t.Errorf("%s: the table is %+v, want %q", of, got, remark)
		}
		rec, err := b.tasks.Get(t.Context(), got.TaskID)
		if want := `"nodes":["n1","n2"]`; err != nil || !strings.Contains(string(rec.Parameters), want) {
			t.Errorf("%v, the parameters %s do not have %s", err, rec.Parameters, want)
		}
	}
}

// missingOnThree lists two tables that n3 lacks. The second has no key.
type missingOnThree struct{ *bench }

func (m missingOnThree) Read(context.Context) (setdiff.Set, error) {
	first := setdiff.Table{Name: api.TableName{Schema: "public", Name: "t0"}, Verdict: api.SetMissing, Reason: "because", MissingOn: []string{"n3"}, CompareOn: []string{"n1", "n2"}}
	second := setdiff.Table{Name: api.TableName{Schema: "public", Name: "t1"}, Verdict: api.SetMissing, Reason: "because", MissingOn: []string{"n3"}}
	return setdiff.Set{Tables: []setdiff.Table{first, second}}, nil
}

// TestSummarize_NeverMatchesUnlessEveryTableIsIdentical draws documents.
func TestSummarize_NeverMatchesUnlessEveryTableIsIdentical(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		verdicts := rapid.SliceOfN(rapid.SampledFrom(append(api.SetVerdicts(), "", "unknown")), 0, 8).Draw(t, "verdicts")
		var d setfile.Document
		matches := true
		for _, verdict := range verdicts {
			d.Tables = append(d.Tables, setfile.Table{Verdict: verdict})
			matches = matches && (verdict == api.SetIdentical || verdict == api.SetSkipped)
		}
		d.Summarize()
		if (d.Summary.Verdict == api.VerdictMatch) != matches {
			t.Errorf("%v: the verdict is %q", verdicts, d.Summary.Verdict)
		}
		if d.Summary.Tables.Total() != len(verdicts) {
			t.Errorf("%v: counted are %+v", verdicts, d.Summary.Tables)
		}
	})
}
