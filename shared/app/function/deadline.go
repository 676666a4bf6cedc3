package function

import (
	"context"
	"time"
)

const (
	// longestReserve is kept at the end of an invocation for storing how it ended.
	longestReserve = 10 * time.Second
	// reserveShare of a short invocation is kept.
	reserveShare = 10
	// withoutLimit is the time of an invocation whose context has no deadline.
	withoutLimit = 15 * time.Minute
)

// usable gives the end of the time that the work may take: some of the invocation's is kept back. A function that Lambda
// kills can say nothing any more.
func usable(ctx context.Context, now time.Time) time.Time {
	deadline, limited := ctx.Deadline()
	if !limited {
		deadline = now.Add(withoutLimit)
	}
	return deadline.Add(-min(longestReserve, deadline.Sub(now)/reserveShare))
}

// dispatchUntil gives when a task runner whose work must end at some time hands out its last unit: early enough for that
// to come back. However long a unit may take, half of the time is used.
func dispatchUntil(now, end time.Time, unit time.Duration) time.Time {
	stop := end.Add(-unit)
	if half := now.Add(end.Sub(now) / 2); stop.Before(half) {
		return half
	}
	return stop
}
