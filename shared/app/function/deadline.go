package function

import (
	"context"
	"time"
)

const (
	// longestReserve is the time at the end of an invocation that is reserved for storing
	// the invocation's outcome.
	longestReserve = 10 * time.Second
	// reserveShare bounds the reserve of an invocation with a short time limit: it is at
	// most 1/reserveShare of that limit.
	reserveShare = 10
	// withoutLimit is the time limit that is assumed for an invocation whose context has
	// no deadline.
	withoutLimit = 15 * time.Minute
)

// workDeadline returns the time by which the work of an invocation must end. It reserves
// some of the invocation's time, because a function that Lambda kills cannot report its
// outcome.
func workDeadline(ctx context.Context, now time.Time) time.Time {
	deadline, limited := ctx.Deadline()
	if !limited {
		deadline = now.Add(withoutLimit)
	}
	return deadline.Add(-min(longestReserve, deadline.Sub(now)/reserveShare))
}

// dispatchUntil returns the time at which a task runner stops sending units: early enough
// for the last unit to return before end. unit is the time limit of a unit. Nevertheless
// the task runner sends units for at least half of the time until end, even if a unit may
// take longer than the other half.
func dispatchUntil(now, end time.Time, unit time.Duration) time.Time {
	stop := end.Add(-unit)
	if half := now.Add(end.Sub(now) / 2); stop.Before(half) {
		return half
	}
	return stop
}
