// Package fanout runs one function over many items with a bound on how many run at once. It is the only place that
// starts goroutines for units of work, and none of them outlives the call.
//
// It promises: never more than limit calls at once; the first error cancels the rest and is the one returned; a
// context that ended is an error even if every call returned nil, so a run that was cut short never looks like a
// complete one; a call that panics is an error too, since nobody else could catch it. It never retries, and it knows
// nothing about what the items are.
package fanout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Map calls fn for every item, at most limit at once, and gives the results in the order of the items. On error the
// results are nil, and the error is what happened first: the first error of an fn or the cause of ctx's end.
// A limit below 1 is an error.
func Map[T, R any](
	ctx context.Context, limit int, items []T, fn func(context.Context, T) (R, error),
) ([]R, error) {
	results := make([]R, len(items))
	err := Each(ctx, limit, slices.Values(Indexes(len(items))), func(ctx context.Context, i int) error {
		result, err := fn(ctx, items[i])
		results[i] = result
		return err
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// Each is Map without results, for sequences too long to hold. Items are pulled in the caller's goroutine, one ahead
// of the calls that run, and forgotten when their call returns. After an error no call begins.
func Each[T any](
	ctx context.Context, limit int, items iter.Seq[T], fn func(context.Context, T) error,
) error {
	if limit < 1 {
		return fmt.Errorf("fanout: limit is %d; it must be at least 1", limit)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(limit)
	defer group.Wait() //nolint:errcheck // the items may panic, and who recovers must not meet a call that still runs
	for item := range items {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			if groupCtx.Err() != nil { // ended while this item waited for room
				return context.Cause(groupCtx)
			}
			return guarded(groupCtx, item, fn)
		})
	}
	if group.Wait() != nil {
		// The cause of the group's end is whichever came first: an fn's error, or the end of the caller's context,
		// of which the errors that followed are only echoes.
		return context.Cause(groupCtx)
	}
	return context.Cause(ctx)
}

var errEnough = errors.New("fanout: no more is wanted")

// Ahead calls fn for every item that read gives, one after the other, while read goes on to the next. An error of fn ends the
// context of read and is the one returned; read returns at once what give returns.
func Ahead[T any](ctx context.Context, read func(ctx context.Context, give func(T) error) error, fn func(T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var reading error
	items := func(yield func(T) bool) {
		reading = read(ctx, func(item T) error {
			if !yield(item) {
				return errEnough
			}
			return nil
		})
	}
	err := Each(ctx, 1, items, func(_ context.Context, item T) error {
		err := fn(item)
		if err != nil {
			cancel(err)
		}
		return err
	})
	return cmp.Or(err, reading)
}

// guarded turns a panic into an error: in a goroutine of its own it would end the process and every task in it.
func guarded[T any](ctx context.Context, item T, fn func(context.Context, T) error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("fanout: panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return fn(ctx, item)
}

// Indexes returns the numbers from 0 to n-1, as items for Map or Each.
func Indexes(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}
