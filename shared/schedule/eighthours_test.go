package schedule_test

import (
	"slices"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/api"
	"ace/shared/schedule"
	"ace/shared/task"
)

// Two services with different jobs use one archive for eight hours, in which each is
// restarted many times. The hours are compressed: the clock of the schedulers advances by
// schedule.Tick before each step, and the tasks end without a comparison. Each run that
// is due starts once. Only a run that is due between the last step of a service and its
// restart is not started; it is counted as missed.
func TestScheduler_InEightHoursEachRunStartsOnceDespiteRestarts(t *testing.T) {
	const often = `jobs:
  - {name: minutely, cluster_name: demo, table_name: public.minutely, crontab_schedule: "* * * * *"}
  - {name: five, cluster_name: demo, table_name: public.five, crontab_schedule: "*/5 * * * *"}
  - {name: seven, cluster_name: demo, table_name: public.seven, crontab_schedule: "*/7 * * * *"}
  - {name: hourly, cluster_name: demo, table_name: public.hourly, crontab_schedule: "30 * * * *"}
  - {name: late, cluster_name: demo, table_name: public.late, crontab_schedule: "*/20 * * * *", jitter: 4m}
`
	const seldom = `jobs:
  - {name: ten, cluster_name: demo, table_name: public.ten, run_frequency: 10m}
  - {name: two-hours, cluster_name: demo, table_name: public.two_hours, run_frequency: 2h}
  - {name: berlin, cluster_name: demo, table_name: public.berlin, crontab_schedule: "CRON_TZ=Europe/Berlin 30 15 * * *"}
`
	store := faulty.Wrap(memstore.New(t))
	begin := time.Date(2024, 3, 15, 12, 0, 1, 0, time.UTC)
	end := begin.Add(8 * time.Hour)
	services := []*bench{sharing(t, store, often, begin), sharing(t, store, seldom, begin)}
	restarts := make([][]time.Time, len(services))
	for n, now := 0, begin; now.Before(end); n, now = n+1, now.Add(schedule.Tick) {
		for i, s := range services {
			s.now = now
			if n%(157+i) == 0 { // every 13 minutes, at another second of the minute each time
				s.restart()
				restarts[i] = append(restarts[i], now)
			}
			s.Step(t.Context())
		}
		if n%5 == 4 {
			services[0].end(api.VerdictMatch) // of both services
		}
	}

	due, started, missed := 0, 0, 0
	for i, s := range services {
		d, m := checkRuns(t, s, restarts[i], begin, end)
		due, missed, started = due+d, missed+m, started+len(s.started)
	}
	if due < 700 || missed == 0 || missed > 10 || started+missed != due {
		t.Errorf("%d runs were due, %d started, %d missed", due, started, missed)
	}
}

// checkRuns compares the tasks of a service with the times at which its jobs are due. It
// returns the number of runs that were due, and of those that were missed.
func checkRuns(t *testing.T, s *bench, restarts []time.Time, begin, end time.Time) (due, missed int) {
	t.Helper()
	submitted := map[string]map[time.Time]int{}
	for _, id := range s.started {
		rec, err := s.tasks.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if submitted[rec.TableName] == nil {
			submitted[rec.TableName] = map[time.Time]int{}
		}
		submitted[rec.TableName][rec.SubmittedAt]++
	}
	jobs, err := schedule.Parse("ace.yaml", []byte(s.file))
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.List(t.Context(), api.SchedulesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for n, job := range jobs {
		ofJob := 0
		for at := job.Next(begin); at.Before(end.Add(-schedule.Tick)); at = job.Next(at) {
			due++
			steps := int64((at.Sub(begin) + schedule.Tick - 1) / schedule.Tick)
			step := begin.Add(time.Duration(steps) * schedule.Tick) // the first one at or after at
			switch count := submitted[job.Table()][step]; {
			case count == 1:
			case count == 0 && slices.Contains(restarts, step) && step.After(at):
				ofJob++
			default:
				t.Errorf("%s: the run due at %s was started %d times", job.Name, at, count)
			}
		}
		if shown := list.Schedules[n]; shown.MissedRuns != ofJob || shown.SkippedRuns > 0 {
			t.Errorf("%s: %d runs missed, want %d; %d skipped", job.Name, shown.MissedRuns, ofJob, shown.SkippedRuns)
		}
		missed += ofJob
	}
	return due, missed
}

// sharing returns a bench that uses an archive together with others.
func sharing(t *testing.T, store *faulty.Store, file string, now time.Time) *bench {
	t.Helper()
	b := &bench{t: t, store: store, file: file, room: 1 << 20, now: now}
	b.tasks = task.NewRegistry(store, func() time.Time { return b.now })
	b.restart()
	return b
}
