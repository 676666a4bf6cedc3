package schedule_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/audit"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/finding"
	"ace/shared/schedule"
	"ace/shared/service"
	"ace/shared/setdiff"
	"ace/shared/setfile"
	"ace/shared/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a scheduler with real use cases and a real archive, and with a clock that the
// test sets.
type bench struct {
	*schedule.Scheduler
	t        *testing.T
	store    *faulty.Store
	tasks    *task.Registry
	now      time.Time
	file     string
	tables   []string // tables of a schema; some end with " without key", " missing" or " drifts"
	down     error    // the error with which the tables cannot be listed
	room     int      // number of submissions that the queue accepts
	started  []string // task ids, in order
	compared []string // ids of the tasks of tables, in order
	log      strings.Builder
}

func newBench(t *testing.T, file, now string) *bench {
	t.Helper()
	b := &bench{t: t, store: faulty.Wrap(memstore.New(t)), file: file, room: 1 << 20}
	b.tasks = task.NewRegistry(b.store, func() time.Time { return b.now })
	b.to(now)
	b.restart()
	return b
}

// restart creates a new scheduler, like a new process.
func (b *bench) restart() {
	b.t.Helper()
	jobs, err := schedule.Parse("ace.yaml", []byte(b.file))
	if err != nil {
		b.t.Fatal(err)
	}
	clock := func() time.Time { return b.now }
	log := slog.New(slog.NewTextHandler(io.MultiWriter(b.t.Output(), &b.log), nil))
	b.Scheduler = schedule.New(schedule.Options{
		Jobs: jobs, Store: b.store, Now: clock, Log: log,
		Submit: &service.Service{Tasks: b.tasks, Store: b.store, Audit: audit.New(b.store, clock), Clusters: b, Starter: b, Now: clock, Log: log},
	})
}

// replace replaces the jobs by those of another file, like SIGHUP.
func (b *bench) replace(file string) {
	b.t.Helper()
	jobs, err := schedule.Parse("ace.yaml", []byte(file))
	if err != nil {
		b.t.Fatal(err)
	}
	b.Replace(jobs)
}

func (b *bench) Names(context.Context) ([]string, error) { return []string{"demo"}, nil }

func (b *bench) Load(_ context.Context, name string) (cluster.Cluster, error) {
	if name != "demo" {
		return cluster.Cluster{}, fault.New(fault.NotFound, "there is no cluster %s", name)
	}
	return cluster.Cluster{
		Name: "demo", Databases: []cluster.Database{{Name: "app"}},
		Nodes: []cluster.Node{{Name: "n1", Host: "h", Port: 1}, {Name: "n2", Host: "h", Port: 2}},
	}, nil
}

func (b *bench) Submit(ctx context.Context, create func(context.Context) (string, error)) error {
	if b.room == 0 {
		return fault.New(fault.Unavailable, "the queue is full")
	}
	id, err := create(ctx)
	if err == nil {
		b.room--
		b.started = append(b.started, id)
	}
	return err
}

func (b *bench) Accepts() error { return nil }

func (b *bench) Drop(string) {}

// to sets the clock and calls Step.
func (b *bench) to(now string) {
	b.t.Helper()
	parsed, err := time.Parse("2006-01-02 15:04", now)
	if err != nil {
		b.t.Fatal(err)
	}
	b.now = parsed
	if b.Scheduler != nil {
		b.Step(b.t.Context())
	}
}

// end ends all open tasks in order. It ends the tasks of a schema-diff's tables with
// verdict.
func (b *bench) end(verdict string) {
	b.t.Helper()
	open, err := b.tasks.Open(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, id := range open {
		held, err := b.tasks.Acquire(b.t.Context(), id, "here", task.AcquireOptions{})
		if err != nil {
			b.t.Fatal(err)
		}
		var o task.Outcome
		if held.Record().Type == task.SchemaDiff {
			o = b.runSet(held.Record(), verdict)
		} else {
			o = b.outcome(id, verdict)
		}
		if _, err := held.Finish(b.t.Context(), o); err != nil {
			b.t.Fatal(err)
		}
		if err := held.Clear(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
	}
}

// outcome returns the outcome of a comparison of one table, and stores its document.
func (b *bench) outcome(id, verdict string) task.Outcome {
	b.t.Helper()
	if verdict == api.VerdictFailed {
		return task.Outcome{Status: task.Failed, Error: fault.New(fault.Unavailable, "node n2 is unreachable")}
	}
	body := fmt.Sprintf(`{"diffs":{"n1/n2":{"n1":[{"id":1}],"n2":[]}},"summary":{"task":%q}}`, id)
	document := &task.Document{Key: archive.DiffKey(id, b.now, "json"), Size: int64(len(body)), SHA256: "unread"}
	if _, err := b.store.Put(b.t.Context(), document.Key, "application/json", []byte(body)); err != nil {
		b.t.Fatal(err)
	}
	result := `{"verdict": "` + verdict + `", "diff_file": "` + document.Key + `", "summary": {"nodes": ["n1", "n2"]}}`
	return task.Outcome{Status: task.Completed, Result: json.RawMessage(result), Document: document}
}

// set is a run of a schema-diff.
type set struct {
	*bench
	schema, verdict string
}

// runSet runs a schema-diff of b.tables.
func (b *bench) runSet(rec task.Record, verdict string) task.Outcome {
	var req api.SchemaDiffRequest
	if err := json.Unmarshal(rec.Parameters, &req); err != nil {
		b.t.Fatal(err)
	}
	of := set{b, req.Schemas[0], verdict}
	coordinator := setdiff.New(setdiff.Options{Store: b.store, Tasks: b.tasks, Runner: of, Now: func() time.Time { return b.now }, Log: slog.New(slog.DiscardHandler)})
	result, err := coordinator.Run(b.t.Context(), setdiff.Request{
		Parent: rec, Source: selecting{of, req}, TableDiff: req.TableDiff, AtOnce: 1, FailFast: req.FailFast,
		Summary: setfile.Summary{Nodes: []string{"n1", "n2"}, Skip: req.SkipTables},
	}, func(task.Progress) {})
	o := task.Outcome{Status: task.Completed, Error: err}
	if err != nil {
		o.Status = task.Failed
	}
	if result.Document.Key != "" {
		o.Document = &result.Document
	}
	return o
}

// RunChild implements setdiff.Runner.
func (s set) RunChild(_ context.Context, _, id string) error {
	held, err := s.tasks.Acquire(s.t.Context(), id, "here", task.AcquireOptions{})
	if err == nil {
		_, err = held.Finish(s.t.Context(), s.outcome(id, s.verdict))
	}
	if err == nil {
		s.compared = append(s.compared, id)
		err = held.Clear(s.t.Context())
	}
	return err
}

// selecting implements setdiff.Source.
type selecting struct {
	set
	request api.SchemaDiffRequest
}

func (s selecting) Read(context.Context) (setdiff.Set, error) {
	if s.down != nil {
		return setdiff.Set{}, s.down
	}
	var found setdiff.Set
	for _, text := range s.tables {
		name, is, _ := strings.Cut(text, " ")
		t := setdiff.Table{Name: api.TableName{Schema: s.schema, Name: name}}
		switch {
		case s.request.SkipTables.Match(t.Name):
			t.Verdict = api.SetSkipped
		case is == "without key":
			t.Verdict, t.Reason = api.SetKeyless, "there is no key"
		case is == "missing":
			t.Verdict, t.Reason = api.SetMissing, "it is missing"
		case is == "drifts":
			found.Findings = append(found.Findings, finding.Finding{Rank: finding.Drifts})
		}
		found.Tables = append(found.Tables, t)
	}
	if len(found.Tables) == 0 {
		return found, fault.New(fault.NotFound, "no node has a table in schema %s", s.schema)
	}
	return found, nil
}

// job returns the first job of the list.
func (b *bench) job() api.Schedule {
	b.t.Helper()
	list, err := b.List(b.t.Context(), api.SchedulesRequest{})
	if err != nil {
		b.t.Fatal(err)
	}
	return list.Schedules[0]
}

// submitted returns the submitted tables in order, with the type of each task that is not
// a comparison.
func (b *bench) submitted() []string { return b.tablesOf(b.started) }

func (b *bench) tablesOf(taskIDs []string) []string {
	b.t.Helper()
	var tables []string
	for _, id := range taskIDs {
		rec, err := b.tasks.Get(b.t.Context(), id)
		if err != nil {
			b.t.Fatal(err)
		}
		table := rec.TableName
		if rec.Type != task.TableDiff {
			table += " " + string(rec.Type)
		}
		tables = append(tables, table)
	}
	return tables
}

const hourly = "jobs: [{name: users, cluster_name: demo, table_name: public.users, crontab_schedule: 0 * * * *"

func TestScheduler_RunsAMonthWithAChangeOfClocks(t *testing.T) {
	b := newBench(t, `jobs:
  - {name: night, cluster_name: demo, table_name: public.users, crontab_schedule: 30 2 * * *}
  - {name: berlin, cluster_name: demo, table_name: public.berlin, crontab_schedule: CRON_TZ=Europe/Berlin 30 3 * * *}
  - {name: weekly, cluster_name: demo, table_name: public.weekly, run_frequency: 1w}`, "2024-03-15 12:00")
	b.Step(t.Context())
	due := map[string][]string{}
	for now := b.now; now.Month() < 5; now = now.Add(30 * time.Minute) {
		before := len(b.started)
		if minute := now.Hour()*60 + now.Minute(); minute > 240 { // nothing is due after that
			continue
		}
		b.to(now.Format("2006-01-02 15:04"))
		for _, table := range b.tablesOf(b.started[before:]) {
			due[table] = append(due[table], now.Format("02 15:04"))
		}
		if len(b.started) > before {
			b.end(api.VerdictMatch)
		}
		if now.Day() == 14 && now.Month() == 4 {
			break
		}
	}
	if got := due["public.users"]; len(got) != 29 || got[0] != "16 02:30" || got[15] != "31 02:30" || got[16] != "01 02:30" {
		t.Errorf("in UTC: %v", got)
	}
	if got := due["public.berlin"]; len(got) != 29 || got[14] != "30 02:30" || got[15] != "31 01:30" || got[16] != "01 01:30" {
		t.Errorf("in Berlin: %v", got)
	}
	if got := due["public.weekly"]; strings.Join(got, ", ") != "21 00:00, 28 00:00, 04 00:00, 11 00:00" {
		t.Errorf("weekly: %v", got)
	}
	if shown := b.job(); shown.MissedRuns+shown.SkippedRuns > 0 || shown.NextRun.String() != "2024-04-14T02:30:00.000Z" {
		t.Errorf("shown is %+v", shown)
	}
}

func TestScheduler_AJobNeverOverlapsItself(t *testing.T) {
	b := newBench(t, hourly+"}]", "2024-03-15 12:30")
	for _, now := range []string{"2024-03-15 12:30", "2024-03-15 13:00", "2024-03-15 14:00", "2024-03-15 15:00"} {
		b.to(now)
	}
	if len(b.started) != 1 || b.job().SkippedRuns != 2 || b.job().LastSkipped.String() != "2024-03-15T15:00:00.000Z" {
		t.Errorf("%d tasks, shown is %+v", len(b.started), b.job())
	}
	b.end(api.VerdictMatch)
	b.to("2024-03-15 16:00")
	if len(b.started) != 2 {
		t.Errorf("%d tasks after the first had ended", len(b.started))
	}
}

// Runs are incremental for two hours after the last full run. A failed run does not count
// as full.
func TestScheduler_AnIncrementalJobHasFullRunsAtIntervals(t *testing.T) {
	b := newBench(t, hourly+", incremental: true, full_every: 2h}]", "2024-03-15 12:30")
	var baselines []string
	for _, run := range []struct{ due, verdict string }{
		{"13:00", api.VerdictFailed}, {"14:00", api.VerdictDiffer}, {"15:00", api.VerdictMatch}, {"16:00", api.VerdictFailed}, {"17:00", api.VerdictMatch}, {"18:00", api.VerdictMatch},
	} {
		b.to("2024-03-15 " + run.due)
		rec, err := b.tasks.Get(t.Context(), b.started[len(b.started)-1])
		if err != nil {
			t.Fatal(err)
		}
		var given struct{ Baseline string }
		if err := json.Unmarshal(rec.Parameters, &given); err != nil {
			t.Fatal(err)
		}
		baselines = append(baselines, given.Baseline)
		b.end(run.verdict)
		b.to("2024-03-15 " + run.due)
		b.restart()
	}
	if want := []string{"", "", "last", "", "", "last"}; !slices.Equal(baselines, want) {
		t.Errorf("the baselines are %q, want %q", baselines, want)
	}
}

func TestScheduler_ReportsMissedRunsAndDoesNotStartThem(t *testing.T) {
	b := newBench(t, hourly+"}]", "2024-03-15 12:30")
	b.Step(t.Context())
	b.to("2024-03-15 13:00")
	b.end(api.VerdictDiffer)
	b.to("2024-03-15 13:10")
	b.restart()
	b.to("2024-03-16 13:30")
	shown := b.job()
	if len(b.started) != 1 || shown.MissedRuns != 24 || shown.LastMissed.String() != "2024-03-16T13:00:00.000Z" ||
		shown.LastRun.Verdict != api.VerdictDiffer || shown.NextRun.String() != "2024-03-16T14:00:00.000Z" {
		t.Errorf("%d tasks, shown is %+v", len(b.started), shown)
	}
	b.restart()
	b.to("2024-03-16 13:40")
	if shown := b.job(); shown.MissedRuns != 24 {
		t.Errorf("after another start %d are missed", shown.MissedRuns)
	}
}

func TestScheduler_CountsNoMissedRunsOfAnotherSchedule(t *testing.T) {
	b := newBench(t, hourly+"}]", "2024-03-15 12:30")
	b.Step(t.Context())
	for _, file := range []string{hourly + ", enabled: false}]", hourly + "}]", strings.Replace(hourly, "0 * * * *", "5 * * * *", 1) + "}]"} {
		b.file = file
		b.restart()
		b.to(b.now.Add(10 * time.Hour).Format("2006-01-02 15:04"))
		if shown := b.job(); shown.MissedRuns != 0 || shown.LastRun != nil {
			t.Errorf("%s: shown is %+v", file, shown)
		}
	}
}

func TestScheduler_ListsDisabledJobsAndDoesNotRunThem(t *testing.T) {
	b := newBench(t, hourly+", enabled: false}]", "2024-03-15 12:30")
	b.to("2024-03-15 12:30")
	b.to("2024-03-15 13:00")
	if shown := b.job(); len(b.started) > 0 || shown.Enabled || !shown.NextRun.IsZero() || shown.Schedule != "0 * * * *" {
		t.Errorf("%d tasks, shown is %+v", len(b.started), shown)
	}
}

func TestScheduler_ReportsThatAComparisonFailed(t *testing.T) {
	b := newBench(t, hourly+"}]", "2024-03-15 12:30")
	b.Step(t.Context())
	b.to("2024-03-15 13:00")
	if shown := b.job(); shown.LastRun.Verdict != "" || shown.LastRun.Tasks[0].Status != api.StatusQueued {
		t.Errorf("while it waits: %+v", shown.LastRun)
	}
	b.end(api.VerdictFailed)
	b.to("2024-03-15 13:10")
	if shown := b.job(); shown.LastRun.Verdict != api.VerdictFailed || shown.LastRun.Tasks[0].Error != "node n2 is unreachable" {
		t.Errorf("after it failed: %+v", shown.LastRun)
	}
}

func TestScheduler_ARunThatIsRefusedHasFailed(t *testing.T) {
	b := newBench(t, strings.Replace(hourly, "demo", "gone", 1)+"}]", "2024-03-15 12:30")
	b.Step(t.Context())
	b.to("2024-03-15 13:00")
	if shown := b.job(); shown.LastRun.Verdict != api.VerdictFailed || shown.LastRun.Tasks[0].Error != "there is no cluster gone" {
		t.Errorf("shown is %+v", shown.LastRun)
	}
}

func TestScheduler_RerunsACheckWithDifferencesAfterTheDelay(t *testing.T) {
	b := newBench(t, hourly+", rerun_after: 10m}]", "2024-03-15 12:30")
	b.Step(t.Context())
	b.to("2024-03-15 13:00")
	b.end(api.VerdictDiffer)
	b.to("2024-03-15 13:05")
	if needed, err := b.Needed(t.Context()); err != nil || !slices.Equal(needed, b.started) {
		t.Errorf("needed are %v, %v", needed, err)
	}
	b.restart() // the pending rerun is stored
	b.to("2024-03-15 13:14")
	if len(b.started) != 1 {
		t.Fatalf("submitted too early: %v", b.submitted())
	}
	b.to("2024-03-15 13:15")
	if want := []string{"public.users", "public.users table-rerun"}; !slices.Equal(b.submitted(), want) {
		t.Fatalf("submitted are %v, want %v; shown is %+v", b.submitted(), want, b.job().LastRun)
	}
	b.end(api.VerdictMatch)
	b.to("2024-03-15 13:20")
	last := b.job().LastRun
	if last.Verdict != api.VerdictMatch || last.Tasks[0].TaskID != b.started[0] || last.Tasks[0].RerunTaskID != b.started[1] {
		t.Errorf("shown is %+v", last)
	}
	if needed, err := b.Needed(t.Context()); err != nil || len(needed) > 0 {
		t.Errorf("needed are %v, %v", needed, err)
	}
}

func TestScheduler_TheNextRunReplacesAPendingRerun(t *testing.T) {
	b := newBench(t, hourly+", rerun_after: 2h}]", "2024-03-15 12:30")
	b.Step(t.Context())
	b.to("2024-03-15 13:00")
	b.end(api.VerdictDiffer)
	b.to("2024-03-15 13:05")
	b.to("2024-03-15 14:00")
	b.end(api.VerdictMatch)
	b.to("2024-03-15 14:59")
	if want := []string{"public.users", "public.users"}; !slices.Equal(b.submitted(), want) || b.job().SkippedRuns != 0 {
		t.Errorf("submitted are %v, want %v", b.submitted(), want)
	}
}

func TestScheduler_APatternIsOneSchemaDiff(t *testing.T) {
	b := newBench(t, `jobs: [{name: all, cluster_name: demo, table_name: shop.*, run_frequency: 1h, rerun_after: 10m, args: {nodes: "n1,n2", max_tables_at_once: 5}}]`, "2024-03-15 12:30")
	b.Step(t.Context())
	b.to("2024-03-15 13:00")
	b.end(api.VerdictMatch)
	b.to("2024-03-15 13:01")
	if shown := b.job(); shown.TableName != "shop.*" || shown.LastRun.Verdict != api.VerdictFailed || shown.LastRun.Error != "no node has a table in schema shop" {
		t.Errorf("without a table: %+v", shown.LastRun)
	}

	b.tables = []string{"a", "B"}
	b.to("2024-03-15 14:00")
	if want := []string{"shop.* schema-diff", "shop.* schema-diff"}; !slices.Equal(b.submitted(), want) {
		t.Fatalf("submitted are %v, want %v", b.submitted(), want)
	}
	b.end(api.VerdictDiffer)
	b.to("2024-03-15 14:01")
	b.restart() // the result below was read from the archive
	last := b.job().LastRun
	if want := []string{"shop.a", `shop."B"`}; !slices.Equal(b.tablesOf(b.compared), want) || last.TaskID != b.started[1] || last.Verdict != api.VerdictDiffer || len(last.Tasks) != 2 {
		t.Errorf("compared are %v, want %v; shown is %+v", b.tablesOf(b.compared), want, last)
	}

	// Each table that differs is compared again.
	b.to("2024-03-15 14:12")
	if want := []string{"shop.a table-rerun", `shop."B" table-rerun`}; !slices.Equal(b.submitted()[2:], want) {
		t.Errorf("submitted are %v, want %v", b.submitted()[2:], want)
	}
	b.end(api.VerdictMatch)
	b.to("2024-03-15 14:13")
	if last := b.job().LastRun; last.Verdict != api.VerdictMatch {
		t.Errorf("shown is %+v", last)
	}
}

func TestScheduler_APatternHasOneVerdict(t *testing.T) {
	for _, tt := range []struct {
		name   string
		tables []string
		down   error
		want   string
	}{
		{"all match", []string{"a", "b"}, nil, api.VerdictMatch},
		{"a table is missing on a node", []string{"a", "b missing"}, nil, api.VerdictDiffer},
		{"the structure drifts", []string{"a", "b drifts"}, nil, api.VerdictDiffer},
		{"the tables cannot be listed", []string{"a"}, fault.New(fault.Unavailable, "node n1 is restarting"), api.VerdictFailed},
	} {
		b := newBench(t, "jobs: [{name: all, cluster_name: demo, table_name: shop.*, run_frequency: 1h}]", "2024-03-15 12:30")
		b.Step(t.Context())
		b.tables, b.down = tt.tables, tt.down
		b.to("2024-03-15 13:00")
		b.end(api.VerdictMatch)
		b.to("2024-03-15 13:01")
		if last := b.job().LastRun; last.Verdict != tt.want || (tt.down != nil) != strings.Contains(last.Error, "restarting") {
			t.Errorf("%s: shown is %+v", tt.name, last)
		}
	}
}

// A run whose schema-diff has no readable document has failed, and names the reason. It
// does not report a completed task as cancelled.
func TestScheduler_ReportsWhyASchemaDiffHasNoTables(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do   func(b *bench, taskID string)
		want []string // what the error contains
	}{
		"damaged": {func(b *bench, taskID string) { b.replaceDocument(taskID, "{") }, []string{"the diff document of task", ".json", "is damaged"}},
		"another format": {func(b *bench, taskID string) { b.replaceDocument(taskID, `{"format":"ace-set/9"}`) }, []string{
			"the diff document of task", ".json", "not a document of format ace-set/1"}},
		"deleted": {func(b *bench, taskID string) { b.replaceDocument(taskID, "") }, []string{"the diff document of task", ".json", "no such object"}},
		"cancelled": {func(b *bench, taskID string) {
			if _, err := b.tasks.RequestCancel(b.t.Context(), taskID); err != nil {
				b.t.Fatal(err)
			}
		}, []string{"was cancelled"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, "jobs: [{name: all, cluster_name: demo, table_name: shop.*, run_frequency: 1h}]", "2024-03-15 12:30")
			b.Step(t.Context())
			b.tables = []string{"a"}
			b.to("2024-03-15 13:00")
			tt.do(b, b.started[0])
			b.to("2024-03-15 13:01")

			last := b.job().LastRun
			if last.Verdict != api.VerdictFailed || slices.ContainsFunc(tt.want, func(part string) bool { return !strings.Contains(last.Error, part) }) {
				t.Errorf("shown is %+v, want an error with %q", last, tt.want)
			}
			if !strings.Contains(last.Error, b.started[0]) || name != "cancelled" && strings.Contains(last.Error, "cancelled") {
				t.Errorf("the error is %q", last.Error)
			}
		})
	}
}

// replaceDocument ends all tasks, and then replaces the document of one. An empty body
// deletes it.
func (b *bench) replaceDocument(taskID, body string) {
	b.t.Helper()
	b.end(api.VerdictMatch)
	rec, err := b.tasks.Get(b.t.Context(), taskID)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.store.Delete(b.t.Context(), rec.Document.Key); err != nil {
		b.t.Fatal(err)
	}
	if body == "" {
		return
	}
	if _, err := b.store.Put(b.t.Context(), rec.Document.Key, "application/json", []byte(body)); err != nil {
		b.t.Fatal(err)
	}
}

// A run that fail_fast has ended is never a match, although the table that differed
// matches when it is compared again.
func TestScheduler_TablesThatFailFastLeftOutAreNotCompared(t *testing.T) {
	b := newBench(t, `jobs: [{name: all, cluster_name: demo, table_name: shop.*, run_frequency: 1h, rerun_after: 10m, incremental: true, skip_tables: c, args: {fail_fast: true}}]`, "2024-03-15 12:30")
	b.Step(t.Context())
	b.tables = []string{"a", "b", "c"}
	b.to("2024-03-15 13:00")
	b.end(api.VerdictDiffer)
	b.to("2024-03-15 13:01")
	if last := b.job().LastRun; last.Verdict != api.VerdictDiffer || len(b.compared) != 1 {
		t.Fatalf("compared are %v; shown is %+v", b.tablesOf(b.compared), last)
	}

	b.to("2024-03-15 13:12")
	b.end(api.VerdictMatch) // ends the rerun
	b.to("2024-03-15 13:13")
	last := b.job().LastRun
	if last.Verdict != api.VerdictIncomplete || !slices.Equal(last.SkippedTables, []string{"shop.c"}) {
		t.Errorf("shown is %+v", last)
	}
	if len(last.NotCompared) != 1 || last.NotCompared[0].TableName != "shop.b" || !strings.Contains(last.NotCompared[0].Reason, "fail_fast") {
		t.Errorf("not compared are %+v", last.NotCompared)
	}

	// The run does not count as a full run, so the next one is full.
	b.to("2024-03-15 14:00")
	rec, err := b.tasks.Get(t.Context(), b.started[len(b.started)-1])
	if err != nil || strings.Contains(string(rec.Parameters), `"baseline":"last"`) {
		t.Errorf("%v, the parameters of the next run are %s", err, rec.Parameters)
	}
}

// A run of an earlier version submitted a comparison for each table.
func TestScheduler_ContinuesARunOfAnEarlierVersion(t *testing.T) {
	b := newBench(t, "jobs: [{name: all, cluster_name: demo, table_name: shop.*, run_frequency: 1h}]", "2024-03-15 12:30")
	stored := `{"job":"all","spec":"1h","seen":"2024-03-15T13:00:00Z","run":{"due":"2024-03-15T13:00:00Z","expanded":true,
		"checks":[{"table_name":"shop.a","task_id":"td_20240315_130000","status":"QUEUED"},{"table_name":"shop.b"}],
		"keyless":[{"table_name":"shop.c","reason":"there is no key"}]},"missed":{"count":0},"skipped":{"count":0},"revision":"R"}`
	if _, err := b.store.Put(t.Context(), archive.ScheduleKey("all"), "application/json", []byte(stored)); err != nil {
		t.Fatal(err)
	}
	b.restart()
	b.to("2024-03-15 13:05") // the first task does not exist any more, and the second table is submitted
	if want := []string{"shop.b"}; !slices.Equal(b.submitted(), want) {
		t.Errorf("submitted are %v, want %v", b.submitted(), want)
	}
	b.end(api.VerdictMatch)
	b.to("2024-03-15 13:06")
	if last := b.job().LastRun; last.Verdict != api.VerdictFailed || last.TaskID != "" || len(last.Tasks) != 2 || len(last.NotCompared) != 1 {
		t.Errorf("shown is %+v", last)
	}
}

func TestScheduler_JobsOfTheSameMinuteRunInOrderDespiteARestart(t *testing.T) {
	var file strings.Builder
	file.WriteString("jobs:\n")
	var want []string
	for i := range 40 {
		fmt.Fprintf(&file, "  - {name: job-%d, cluster_name: demo, table_name: public.t%03d, crontab_schedule: 0 13 * * *}\n", i, i)
		want = append(want, fmt.Sprintf("public.t%03d", i))
	}
	b := newBench(t, file.String(), "2024-03-15 12:30")
	b.Step(t.Context())
	for step := 0; len(b.started) < len(want); step++ {
		if step > len(want) {
			t.Fatalf("submitted are only %v", b.submitted())
		}
		b.room = 7 // then the queue is full
		b.to("2024-03-15 13:00")
		if step == 1 {
			b.restart()
		}
		b.end(api.VerdictMatch)
	}
	if !slices.Equal(b.submitted(), want) {
		t.Errorf("submitted are %v", b.submitted())
	}
	if shown := b.job(); shown.MissedRuns > 0 {
		t.Errorf("shown is %+v", shown)
	}
}

func TestScheduler_ContinuesAfterErrorsOfTheStore(t *testing.T) {
	for _, outcome := range []faulty.Outcome{faulty.FailBefore, faulty.FailAfter} {
		for call := 1; call <= 4; call++ {
			b := newBench(t, hourly+"}]", "2024-03-15 12:30")
			b.Step(t.Context())
			b.store.On(faulty.PutIfMatch, "schedules/", faulty.Nth(call, outcome))
			for range 4 {
				b.to("2024-03-15 13:00")
			}
			b.end(api.VerdictMatch)
			b.to("2024-03-15 13:10")
			b.to("2024-03-15 13:10")
			if shown := b.job(); shown.LastRun == nil || shown.LastRun.Verdict != api.VerdictMatch || shown.MissedRuns > 0 {
				t.Errorf("outcome %d of write %d: shown is %+v", outcome, call, shown)
			}
		}
	}
}
