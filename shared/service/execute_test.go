package service

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"ace/shared/fault"
	"ace/shared/runner"
	"ace/shared/task"
)

// Case O-P10, see docs/RELIABILITY.md.
func TestHandler_AScheduledTaskWaitsLonger(t *testing.T) {
	for scheduled, want := range map[bool]time.Duration{false: time.Minute, true: 10 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			e := &Executor{Patience: time.Minute, ScheduledPatience: 10 * time.Minute, Log: slog.New(slog.DiscardHandler)}
			down := fault.New(fault.Unavailable, `node "n2" is unreachable`)
			began := time.Now()
			var reported []task.Progress
			handler := e.handler(func(ctx context.Context, x execution) (runner.Outcome, error) {
				x.report(task.Progress{Phase: "plan"})
				err := x.patience.Do(ctx, "planning", func() error { return down })
				x.report(task.Progress{Phase: "compare"})
				return runner.Outcome{}, err
			})
			_, err := handler(t.Context(), task.Record{Scheduled: scheduled}, func(p task.Progress) { reported = append(reported, p) })
			if took := time.Since(began); took != want || fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("scheduled %t: %v after %s, want %s", scheduled, err, took, want)
			}
			first, second, last := reported[0], reported[1], reported[len(reported)-1]
			if first.Retrying != "" || second.Phase != "plan" || second.Retrying != down.Message || last.Retrying != "" {
				t.Errorf("reported are %+v, %+v ... %+v", first, second, last)
			}
		})
	}
}
