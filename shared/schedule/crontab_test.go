package schedule

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Case O-P15, see docs/RELIABILITY.md.
func TestCrontab_IsDue(t *testing.T) {
	berlin := func(fields string) string { return "CRON_TZ=Europe/Berlin " + fields }
	tests := []struct{ spec, after, want string }{
		{"30 2 * * *", "2024-03-15 12:00", "2024-03-16 02:30, 2024-03-17 02:30"},
		{"*/20 9-10 * * 1", "2024-03-15 12:00", "2024-03-18 09:00, 2024-03-18 09:20, 2024-03-18 09:40, 2024-03-18 10:00"},
		{"0 0 29 2 *", "2024-03-15 12:00", "2028-02-29 00:00"},
		{"@daily", "2024-03-15 12:00", "2024-03-16 00:00"},
		{"30 2 * * *", "2024-03-30 12:00", "2024-03-31 02:30, 2024-04-01 02:30"},
		{"CRON_TZ=America/New_York\t30  2 * * *", "2024-01-01 12:00", "2024-01-02 07:30"},

		// 7 is Sunday. 2024-03-17 was a Sunday.
		{"0 5 * * 7", "2024-03-15 12:00", "2024-03-17 05:00, 2024-03-24 05:00"},
		{"0 5 * * 5-7", "2024-03-15 12:00", "2024-03-16 05:00, 2024-03-17 05:00, 2024-03-22 05:00"},
		{"0 5 * * 3,7", "2024-03-15 12:00", "2024-03-17 05:00, 2024-03-20 05:00, 2024-03-24 05:00"},
		{"0 5 * * 1-7/3", "2024-03-15 12:00", "2024-03-17 05:00, 2024-03-18 05:00, 2024-03-21 05:00"},
		{"0 5 * * fri-Sun", "2024-03-15 12:00", "2024-03-16 05:00, 2024-03-17 05:00, 2024-03-22 05:00"},
		{"0 5 * * 0-7", "2024-03-15 12:00", "2024-03-16 05:00, 2024-03-17 05:00, 2024-03-18 05:00"},

		// In March the clocks skip the hour from 2:00 (01:00 UTC). A job at a fixed time
		// in this hour runs when the hour is over. A job that runs in every hour does not
		// make up for it.
		{berlin("30 2 * * *"), "2024-03-29 12:00", "2024-03-30 01:30, 2024-03-31 01:00, 2024-04-01 00:30"},
		{berlin("10,50 2 * * *"), "2024-03-30 12:00", "2024-03-31 01:00, 2024-04-01 00:10"},
		{berlin("30 2,3 * * *"), "2024-03-30 12:00", "2024-03-31 01:00, 2024-03-31 01:30, 2024-04-01 00:30"},
		{berlin("0 2,3 * * *"), "2024-03-30 12:00", "2024-03-31 01:00, 2024-04-01 00:00"},
		{berlin("*/15 2 * * *"), "2024-03-30 12:00", "2024-03-31 01:00, 2024-04-01 00:00"},
		{berlin("30 2 31 3 *"), "2024-03-30 12:00", "2024-03-31 01:00, 2025-03-31 00:30"},
		{berlin("*/15 * * * *"), "2024-03-31 00:31", "2024-03-31 00:45, 2024-03-31 01:00, 2024-03-31 01:15"},
		{berlin("30 * * * *"), "2024-03-31 00:00", "2024-03-31 00:30, 2024-03-31 01:30"},
		{berlin("30 1 * * *"), "2024-03-30 12:00", "2024-03-31 00:30, 2024-03-31 23:30"},

		// In October the hour from 2:00 occurs twice, from 00:00 and from 01:00 UTC. A
		// job at a fixed time runs in the first one. Other jobs run in both.
		{berlin("30 2 * * *"), "2024-10-26 12:00", "2024-10-27 00:30, 2024-10-28 01:30"},
		{berlin("30 2 * * *"), "2024-10-27 01:10", "2024-10-28 01:30"},
		{berlin("0,59 2,3 * * *"), "2024-10-26 12:00", "2024-10-27 00:00, 2024-10-27 00:59, 2024-10-27 02:00"},
		{berlin("*/30 2 * * *"), "2024-10-26 12:00", "2024-10-27 00:00, 2024-10-27 00:30, 2024-10-27 01:00, 2024-10-27 01:30, 2024-10-28 01:00"},
		{berlin("30 * * * *"), "2024-10-26 23:40", "2024-10-27 00:30, 2024-10-27 01:30, 2024-10-27 02:30"},
		{berlin("0,30 0-23 * * *"), "2024-10-27 00:10", "2024-10-27 00:30, 2024-10-27 01:00, 2024-10-27 01:30, 2024-10-27 02:00"},
		{berlin("@hourly"), "2024-10-26 23:10", "2024-10-27 00:00, 2024-10-27 01:00, 2024-10-27 02:00"},
		{berlin("30 4 * * *"), "2024-10-26 12:00", "2024-10-27 03:30, 2024-10-28 03:30"},
	}
	for _, tt := range tests {
		t.Run(tt.spec+" after "+tt.after, func(t *testing.T) {
			parsed, err := parseCrontab(tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			at := moment(t, tt.after)
			for _, want := range strings.Split(tt.want, ", ") {
				if at = parsed.Next(at); at.Format("2006-01-02 15:04") != want || at.Location() != time.UTC {
					t.Fatalf("due at %s, want %s", at, want)
				}
			}
		})
	}
}

// Around changes of the clocks, the due times are those that a simple search finds, which
// checks every minute.
func TestCrontab_RunsOnceOrThroughWhereverTheClocksChange(t *testing.T) {
	changes := []struct{ zone, at string }{
		{"Europe/Berlin", "2024-03-31 01:00"}, {"Europe/Berlin", "2024-10-27 01:00"},
		{"America/New_York", "2024-03-10 07:00"}, {"America/New_York", "2024-11-03 06:00"},
		{"Australia/Lord_Howe", "2024-04-06 15:00"}, {"Australia/Lord_Howe", "2024-10-05 15:30"},
		{"America/Santiago", "2024-04-07 03:00"}, {"America/Santiago", "2024-09-08 04:00"},
		{"Pacific/Apia", "2011-12-30 10:00"},
	}
	rapid.Check(t, func(t *rapid.T) {
		change := rapid.SampledFrom(changes).Draw(t, "change")
		minute := rapid.SampledFrom([]string{"30", "0", "*/15", "*", "5,50"}).Draw(t, "minute")
		hour := rapid.SampledFrom([]string{"*", "*/2", "0", "1", "2", "3", "23", "0-4", "1,2,3"}).Draw(t, "hour")
		text := "CRON_TZ=" + change.zone + " " + minute + " " + hour + " * * *"
		timing, err := parseCrontab(text)
		if err != nil {
			t.Fatal(err)
		}
		middle, err := time.Parse("2006-01-02 15:04", change.at)
		if err != nil {
			t.Fatal(err)
		}

		from, until := middle.Add(-5*time.Hour), middle.Add(5*time.Hour)
		var got []time.Time
		for at := timing.Next(from); at.Before(until); at = timing.Next(at) {
			got = append(got, at)
		}
		if want := dueMinuteByMinute(timing.(crontab), minute, hour, from, until); !slices.Equal(got, want) {
			t.Fatalf("%s: due at\n%v, want\n%v", text, got, want)
		}
	})
}

func dueMinuteByMinute(c crontab, minute, hour string, from, until time.Time) []time.Time {
	matches := func(clock time.Time) bool { return c.fields.Next(clock.Add(-time.Second)).Equal(clock) }
	var due []time.Time
	shown := map[time.Time]bool{}
	last := clockOf(from.Add(-3 * time.Hour).In(c.zone)).Add(-time.Minute)
	for at := from.Add(-3 * time.Hour); at.Before(until); at = at.Add(time.Minute) {
		clock := clockOf(at.In(c.zone))
		is := matches(clock) && (!shown[clock] || strings.HasPrefix(minute+hour, "*") || strings.HasPrefix(hour, "*"))
		for skipped := last.Add(time.Minute); skipped.Before(clock) && !strings.HasPrefix(hour, "*"); skipped = skipped.Add(time.Minute) {
			is = is || matches(skipped)
		}
		if is && at.After(from) {
			due = append(due, at)
		}
		shown[clock], last = true, clock
	}
	return due
}

// Case O-P15, see docs/RELIABILITY.md.
func TestCrontab_RejectsInvalidTextWithTheReason(t *testing.T) {
	for spec, want := range map[string]string{
		"":                                 "it has 0 fields instead of 5",
		"* * * *":                          "it has 4 fields instead of 5",
		"* * * * * *":                      "it has 6 fields instead of 5",
		"61 * * * *":                       `the minute "61" is not valid: end of range (61) above maximum (59)`,
		"0 x * * *":                        `the hour "x" is not valid: "x" is not a number`,
		"0 5-1 * * *":                      `the hour "5-1" is not valid: beginning of range (5) beyond end of range (1)`,
		"0 0 0 * *":                        `the day of the month "0" is not valid: beginning of range (0) below minimum (1)`,
		"30 2 * * 8":                       `the day of the week "8" is not valid: it must be 0 to 7 or sun to sat`,
		"30 2 * * 7-8":                     `the day of the week "7-8" is not valid: it must be 0 to 7 or sun to sat`,
		"30 2 * * 7-3":                     `the day of the week "7-3" is not valid: beginning of range (7) beyond end of range (3)`,
		"30 2 * * funday":                  `the day of the week "funday" is not valid: "funday" is not a number`,
		"@every 5m":                        "intervals are written as run_frequency: 5m",
		"@reboot":                          "@reboot is not one of @hourly, @daily, @weekly, @monthly and @yearly",
		"0 0 30 2 *":                       "no such time exists",
		"TZ=UTC 1 1 * * *":                 "a time zone is written as CRON_TZ=Europe/Berlin",
		"CRON_TZ=":                         "the time zone is missing after CRON_TZ=",
		"CRON_TZ= 1 1 * * *":               "the time zone is missing after CRON_TZ=",
		"CRON_TZ=Europe/Berlin":            "it has 0 fields instead of 5",
		"CRON_TZ=Local 1 1 * * *":          `there is no time zone "Local"`,
		"CRON_TZ=Mars/Olympus_M 1 1 * * *": `there is no time zone "Mars/Olympus_M"; the names are those of the IANA database, such as Europe/Berlin`,
		"CRON_TZ=Europe/Berln 1 1 * * *":   `there is no time zone "Europe/Berln" (did you mean Europe/Berlin?)`,
		"CRON_TZ=europe/berlin 1 1 * * *":  `there is no time zone "europe/berlin" (did you mean Europe/Berlin?)`,
		"CRON_TZ=Berlin 1 1 * * *":         `there is no time zone "Berlin" (did you mean Europe/Berlin?)`,
		"CRON_TZ=new_york 1 1 * * *":       `there is no time zone "new_york" (did you mean America/New_York?)`,
		"CRON_TZ=Europa/Zurich 1 1 * * *":  `there is no time zone "Europa/Zurich" (did you mean Europe/Zurich?)`,
		"CRON_TZ=Ney_York 1 1 * * *":       `there is no time zone "Ney_York" (did you mean America/New_York?)`,
	} {
		if _, err := parseCrontab(spec); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", spec, err, want)
		}
	}
}

func TestZones_AreNamedAsTheTimePackageKnowsThem(t *testing.T) {
	names := strings.Fields(zoneNames)
	if len(names) < 500 || !slices.IsSorted(names) {
		t.Errorf("%d names", len(names))
	}
	for _, name := range names {
		if _, err := loadZone(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
