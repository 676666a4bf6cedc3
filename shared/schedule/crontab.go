package schedule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

const allowedCrontab = `five fields such as "30 2 * * *" in UTC, or in another time zone as "CRON_TZ=Europe/Berlin 30 2 * * *"`

// crontab is the timing of a crontab_schedule. Its Next treats the hours that the clocks
// skip or repeat as cron does:
//
//   - A run that is due in a skipped hour starts when the clocks change, once for all
//     such times. A job that runs in every hour does not make up for the skipped hour.
//   - If the clocks are set back, an hour occurs twice. A job at fixed times runs only in
//     the first of these two hours. A job that runs in every hour or by intervals of
//     minutes runs in both.
type crontab struct {
	fields    *cron.SpecSchedule // computes the local times in zone at which the job is due, as if they were times in UTC
	zone      *time.Location
	everyHour bool // the job runs in every hour, or by intervals of hours
	repeats   bool // the job runs in both hours if the clocks show an hour twice
}

// parseCrontab parses the five fields of cron. Their times are in UTC unless the text
// begins with CRON_TZ=. The error states only the reason and does not repeat the text.
func parseCrontab(text string) (timing, error) {
	if strings.HasPrefix(text, "TZ=") {
		return nil, errors.New("a time zone is written as CRON_TZ=Europe/Berlin")
	}

	zone, fields := time.UTC, strings.Fields(text)
	if len(fields) > 0 && strings.HasPrefix(fields[0], "CRON_TZ=") {
		var err error
		if zone, err = loadZone(strings.TrimPrefix(fields[0], "CRON_TZ=")); err != nil {
			return nil, err
		}
		fields = fields[1:]
	}

	parsed, err := parseFields(fields)
	if err != nil {
		return nil, err
	}

	parsed.Location = time.UTC
	if parsed.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("no such time exists")
	}

	c := crontab{fields: parsed, zone: zone, everyHour: isEvery(parsed.Hour, 24)}
	c.repeats = c.everyHour || isEvery(parsed.Minute, 60)
	if len(fields) == fieldCount {
		c.everyHour = c.everyHour || isStar(fields[1])
		c.repeats = c.repeats || c.everyHour || isStar(fields[0])
	}
	return c, nil
}

// isEvery reports whether a parsed field of cron, in which bit n stands for the value n,
// contains all values from 0 to count-1.
func isEvery(field uint64, count int) bool {
	all := uint64(1)<<count - 1
	return field&all == all
}

// isStar reports whether a field, such as * or */15, stands for intervals and not for
// fixed times.
func isStar(field string) bool { return strings.HasPrefix(field, "*") || strings.HasPrefix(field, "?") }

// Next implements timing.
func (c crontab) Next(after time.Time) time.Time {
	at := after.In(c.zone)
	clock := clockOf(at)
	for {
		clock = c.fields.Next(clock)
		if clock.IsZero() {
			return clock
		}

		_, offset := at.Zone()
		due := clock.Add(-time.Duration(offset) * time.Second).In(c.zone)
		_, change := at.ZoneBounds()
		if change.IsZero() || due.Before(change) {
			if c.repeats || !isSecondOfTwo(due) {
				return due.UTC()
			}
			continue
		}

		// The clocks change before due. Search again from the change.
		changed := clockOf(change)
		if clock.Before(changed) && !c.everyHour {
			return change.UTC()
		}
		at, clock = change, changed.Add(-time.Nanosecond)
	}
}

// clockOf returns the time that a clock shows at t, as a time in UTC.
func clockOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// isSecondOfTwo reports whether the clocks show the time of t for the second time,
// because they were set back shortly before t.
func isSecondOfTwo(t time.Time) bool {
	change, _ := t.ZoneBounds()
	if change.IsZero() {
		return false
	}
	_, before := change.Add(-time.Nanosecond).Zone()
	_, now := t.Zone()
	return t.Add(time.Duration(now-before) * time.Second).Before(change)
}

const fieldCount = 5

// parseFields parses the five fields, or one word such as @daily. The error names the
// field that is wrong.
func parseFields(fields []string) (*cron.SpecSchedule, error) {
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	if len(fields) == 0 || !strings.HasPrefix(fields[0], "@") {
		if len(fields) != fieldCount {
			return nil, fmt.Errorf("it has %d fields instead of %d", len(fields), fieldCount)
		}
		days, err := sundays(fields[4])
		if err != nil {
			return nil, err
		}
		fields = append(fields[:4:4], days)
		if err := checkFields(parser, fields); err != nil {
			return nil, err
		}
	}

	parsed, err := parser.Parse(strings.Join(fields, " "))
	if err != nil {
		return nil, fmt.Errorf("%s is not one of @hourly, @daily, @weekly, @monthly and @yearly", strings.Join(fields, " "))
	}

	schedule, ok := parsed.(*cron.SpecSchedule)
	if !ok { // the text is an interval such as "@every 5m"
		return nil, errors.New("intervals are written as run_frequency: 5m")
	}
	return schedule, nil
}

// checkFields returns the reason why a field is not valid.
func checkFields(parser cron.Parser, fields []string) error {
	for i, name := range []string{"minute", "hour", "day of the month", "month", "day of the week"} {
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = fields[i]
		if _, err := parser.Parse(strings.Join(alone, " ")); err != nil {
			reason := err.Error()
			if number, found := strings.CutPrefix(reason, "failed to parse int from "); found {
				number, _, _ = strings.Cut(number, ": ")
				reason = fmt.Sprintf("%q is not a number", number)
			}
			return fmt.Errorf("the %s %q is not valid: %s", name, fields[i], strings.TrimSuffix(reason, ": "+fields[i]))
		}
	}
	return nil
}

// sundays rewrites the field for the day of the week for the parser, which knows Sunday
// only as 0. In cron, 7 is Sunday too, and a range may end with Sunday. So sundays
// replaces 5-7 and fri-sun by 5,6,0.
func sundays(field string) (string, error) {
	parts := strings.Split(field, ",")
	for i, part := range parts {
		days, step, _ := strings.Cut(part, "/")
		from, to, isRange := strings.Cut(days, "-")
		first, last := weekday(from), weekday(to)
		switch {
		case !isRange:
			last = first
		case first > 0 && strings.EqualFold(to, "sun"):
			last = 7
		}
		if first > 7 || last > 7 {
			return "", fmt.Errorf("the day of the week %q is not valid: it must be 0 to 7 or sun to sat", field)
		}
		if last != 7 || first < 0 {
			continue // the parser understands it, or reports what is wrong
		}

		every, err := strconv.Atoi(step)
		if step != "" && (err != nil || every < 1) || first > last {
			continue
		}
		parts[i] = listDays(first, max(every, 1))
	}
	return strings.Join(parts, ","), nil
}

// listDays returns every step-th day of the week from first to 7, with Sunday as 0.
func listDays(first, step int) string {
	var list []string
	for day := first; day <= 7; day += step {
		list = append(list, strconv.Itoa(day%7))
	}
	return strings.Join(list, ",")
}

// weekday converts the text of a day of the week, a number or three letters, to a number.
// For example, it returns 0 for sun. It returns -1 if text is neither. It does not check
// that a number is at most 7.
func weekday(text string) int {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if strings.EqualFold(text, day.String()[:3]) {
			return int(day)
		}
	}
	if day, err := strconv.Atoi(text); err == nil {
		return day
	}
	return -1
}
