package schedule_test

import (
	"slices"
	"testing"

	"ace/shared/api"
)

// Case O-P29, see docs/RELIABILITY.md.
func TestScheduler_ReplacedJobsContinueWithoutMissedOrRepeatedRuns(t *testing.T) {
	const other = ", {name: other, cluster_name: demo, table_name: public.other, crontab_schedule: 30 13 * * *}]"
	b := newBench(t, hourly+"}]", "2024-03-15 12:30")
	b.Step(t.Context())

	b.replace(hourly + "}" + other)
	b.to("2024-03-15 13:00") // a run is due before Step has read the new jobs
	if want := []string{"public.users"}; !slices.Equal(b.submitted(), want) || b.job().MissedRuns != 0 {
		t.Fatalf("submitted are %v, want %v; shown is %+v", b.submitted(), want, b.job())
	}

	b.end(api.VerdictMatch)
	b.to("2024-03-15 13:30")
	if want := []string{"public.users", "public.other"}; !slices.Equal(b.submitted(), want) {
		t.Fatalf("submitted are %v, want %v", b.submitted(), want)
	}

	// A job that was removed does not run. A job whose times have changed has missed no
	// run.
	b.replace("jobs: [{name: users, cluster_name: demo, table_name: public.users, crontab_schedule: 45 * * * *}]")
	b.to("2024-03-15 14:10")
	b.to("2024-03-15 14:45")
	list, err := b.List(t.Context(), api.SchedulesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Schedules) != 1 || b.job().MissedRuns != 0 || b.job().Schedule != "45 * * * *" || b.job().LastRun.DueAt.String() != "2024-03-15T14:45:00.000Z" {
		t.Errorf("listed are %+v", list.Schedules)
	}

	b.replace("jobs: []")
	b.to("2024-03-16 13:30")
	if want := []string{"public.users", "public.other", "public.users"}; !slices.Equal(b.submitted(), want) {
		t.Errorf("submitted are %v, want %v", b.submitted(), want)
	}
}
