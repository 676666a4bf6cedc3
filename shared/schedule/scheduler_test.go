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
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/schedule"
	"ace/shared/service"
	"ace/shared/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a scheduler with real use cases and a real archive, and with a clock that the
// test sets.
type bench struct {
	*schedule.Scheduler
	t       *testing.T
	store   *faulty.Store
	tasks   *task.Registry
	now     time.Time
	file    string
	tables  []string // that the catalog returns; some end with " without key"
	down    error    // that the catalog returns instead
	room    int      // number of submissions that the queue accepts
	started []string // task ids, in order
	log     strings.Builder
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
		Jobs: jobs, Store: b.store, Now: clock, Log: log, Catalog: b, Patience: 10 * time.Minute,
		Submit: &service.Service{Tasks: b.tasks, Store: b.store, Clusters: b, Starter: b, Now: clock, Log: log},
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

func (b *bench) Tables(_ context.Context, _ api.TableDiffRequest, schema string) ([]schedule.Table, error) {
	if b.down != nil {
		return nil, b.down
	}
	var tables []schedule.Table
	for _, name := range b.tables {
		name, isKeyless := strings.CutSuffix(name, " without key")
		table := schedule.Table{Name: api.TableName{Schema: schema, Name: name}}
		if isKeyless {
			table.Keyless = []string{`node "n1"`, `node "n2"`}
		}
		tables = append(tables, table)
	}
	return tables, nil
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

// end ends all open tasks in order.
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
		body := fmt.Sprintf(`{"diffs":{"n1/n2":{"n1":[{"id":1}],"n2":[]}},"summary":{"task":%q}}`, id)
		document := &task.Document{Key: archive.DiffKey(id, b.now, "json"), Size: int64(len(body)), SHA256: "unread"}
		if _, err := b.store.Put(b.t.Context(), document.Key, "application/json", []byte(body)); err != nil {
			b.t.Fatal(err)
		}
		o := task.Outcome{Status: task.Completed, Result: json.RawMessage(`{"verdict": "` + verdict + `"}`), Document: document}
		if verdict == api.VerdictFailed {
			o = task.Outcome{Status: task.Failed, Error: fault.New(fault.Unavailable, "node n2 is unreachable")}
		}
		if _, err := held.Finish(b.t.Context(), o); err != nil {
			b.t.Fatal(err)
		}
		if err := held.Clear(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
	}
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

func TestScheduler_APatternComparesEachTable(t *testing.T) {
	b := newBench(t, `jobs: [{name: all, cluster_name: demo, table_name: shop.*, run_frequency: 1h, args: {nodes: "n1,n2"}}]`, "2024-03-15 12:30")
	b.Step(t.Context())
	b.to("2024-03-15 13:00")
	if shown := b.job(); shown.TableName != "shop.*" || shown.LastRun.Verdict != api.VerdictFailed || shown.LastRun.Error != "no node has a table in schema shop" {
		t.Errorf("without a table: %+v", shown.LastRun)
	}
	b.tables = []string{"a", "B"}
	b.to("2024-03-15 14:00")
	if want := []string{"shop.a", `shop."B"`}; !slices.Equal(b.submitted(), want) {
		t.Errorf("submitted are %v, want %v", b.submitted(), want)
	}
}

// A node that cannot be used when a run is due delays the run for up to ten minutes.
// Other jobs do not wait for it.
//
// Case O-P10, see docs/RELIABILITY.md.
func TestScheduler_ARunWaitsForANodeThatCannotListItsTables(t *testing.T) {
	file := `jobs:
  - {name: all, cluster_name: demo, table_name: shop.*, crontab_schedule: 0 13 * * *}
  - {name: other, cluster_name: demo, table_name: public.users, crontab_schedule: 0 13 * * *}`
	for name, tt := range map[string]struct {
		upAt      string
		submitted []string
		verdict   string
	}{
		"it is back in time":  {"2024-03-15 13:09", []string{"public.users", "shop.a"}, ""},
		"it is back too late": {"2024-03-15 13:11", []string{"public.users"}, api.VerdictFailed},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, file, "2024-03-15 12:30")
			b.Step(t.Context())
			b.tables, b.down = []string{"a"}, fault.New(fault.Unavailable, "node n1 is restarting")
			b.to("2024-03-15 13:00")
			b.to("2024-03-15 13:08")
			if tt.verdict != "" {
				b.to("2024-03-15 13:10")
			}
			b.down = nil
			b.to(tt.upAt)
			if got := b.submitted(); !slices.Equal(got, tt.submitted) {
				t.Errorf("submitted are %v, want %v", got, tt.submitted)
			}
			if run := b.job().LastRun; run.Verdict != tt.verdict || (tt.verdict != "") != strings.Contains(run.Error, "restarting") {
				t.Errorf("the run is %+v", run)
			}
		})
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
