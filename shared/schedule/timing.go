package schedule

import (
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"
	"time"
)

// timing computes the first due time after a given time. It returns the zero time if
// there is none.
type timing interface {
	Next(after time.Time) time.Time
}

const (
	allowedEvery = "a whole number with a unit of at least one minute and at most 366 days, such as 30m, 6h, 1d or 1w"

	minEvery = time.Minute
	maxEvery = 366 * 24 * time.Hour
)

var everyPattern = regexp.MustCompile(`^([1-9][0-9]{0,6}) ?(m|min|minutes?|h|hours?|d|days?|w|weeks?)$`)

// every is a timing that is due at the multiples of its duration since 1970-01-01 UTC. So
// a restart of the service does not change the due times.
type every time.Duration

// Next implements timing.
func (e every) Next(after time.Time) time.Time {
	step := time.Duration(e).Milliseconds()
	return time.UnixMilli((after.UnixMilli()/step + 1) * step).UTC()
}

func parseEvery(text string) (timing, error) {
	step, err := parseStep(text)
	if err != nil {
		return nil, err
	}
	return every(step), nil
}

func parseStep(text string) (time.Duration, error) {
	found := everyPattern.FindStringSubmatch(text)
	if found == nil {
		return 0, errors.New("it is not a whole number with a unit")
	}
	count, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		return 0, err
	}
	unit := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[found[2][0]]
	if count > int64(maxEvery/unit) {
		return 0, errors.New("it is too long")
	}
	return time.Duration(count) * unit, nil
}

// delay returns due plus a time from 0 to jitter. The added time depends only on job and
// due. So jobs that are due in the same minute start at different times, and every
// process computes the same times.
func delay(job string, due time.Time, jitter time.Duration) time.Time {
	if jitter <= 0 {
		return due
	}
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s %d", job, due.Unix()) // writing to a hash never fails
	return due.Add(time.Duration(h.Sum64() % uint64(jitter)))
}
