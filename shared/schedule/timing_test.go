package schedule

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func FuzzParseCrontab(f *testing.F) {
	for _, seed := range []string{"30 2 * * *", "CRON_TZ=Europe/Berlin 0 0 * * 1-5", "TZ=0", "@daily", "*/7 1,2 L ? *"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		parsed, err := parseCrontab(spec)
		if err != nil {
			return
		}
		now := time.Date(2024, 3, 15, 12, 34, 56, 0, time.UTC)
		if next := parsed.Next(now); !next.After(now) {
			t.Errorf("%q after %s is due at %s", spec, now, next)
		}
	})
}

func TestEvery_IsDueAtTheSameTimesFromAnyStart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]string{"m", " minutes", "h", " hours", "d", "w"}).Draw(t, "unit")
		text := rapid.StringMatching(`[1-9]`).Draw(t, "count") + unit
		parsed, err := parseEvery(text)
		if err != nil {
			t.Fatal(err)
		}
		step := time.Duration(parsed.(every))
		after := time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "after"))
		next := parsed.Next(after)
		if !next.After(after) || next.Sub(after) > step || next.UnixMilli()%step.Milliseconds() != 0 {
			t.Fatalf("every %s after %s is due at %s", text, after, next)
		}
		if again := parsed.Next(next.Add(-time.Millisecond)); !again.Equal(next) {
			t.Fatalf("just before %s is due %s", next, again)
		}
	})
}

func TestEvery_RejectsInvalidText(t *testing.T) {
	for _, text := range []string{"", "5", "0m", "-1h", "30s", "1.5h", "1h30m", "367d", "9999999w", "1 fortnight"} {
		if _, err := parseEvery(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestJitter_DelaysEachDueTimeOnceByTheSameAmountEverywhere(t *testing.T) {
	timing, err := parseCrontab("*/10 * * * *")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		job := Job{Name: rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "name"), timing: timing}
		job.Jitter = time.Duration(rapid.Int64Range(0, int64(25*time.Minute)).Draw(t, "jitter"))
		from := time.Date(2024, 3, 15, 0, 0, 0, 0, time.UTC)
		seen := map[time.Time]bool{}
		for at := job.next(from); at.Before(from.Add(5 * time.Hour)); at = job.next(at) {
			if seen[at] {
				t.Fatalf("due twice at %s", at)
			}
			seen[at] = true
		}
		if job.Jitter < 10*time.Minute && (len(seen) < 28 || len(seen) > 31) {
			t.Fatalf("due %d times in five hours", len(seen))
		}
	})
}
