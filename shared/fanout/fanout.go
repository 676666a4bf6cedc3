// Package fanout calls one function for many items and bounds how many calls run at once.
// It is the only place that starts goroutines for units of work. No goroutine outlives
// the call of Map, Each or Ahead that started it.
//
// There are never more calls at once than the parameter limit allows. The first error
// cancels the other calls and is returned. If the context ends, that is an error even if
// every call returned nil, so a run that was interrupted never looks complete. A panic in
// a call is returned as an error, because the caller of Map or Each could not recover a
// panic of another goroutine. The package never retries and knows nothing about the
// items.
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

// Map calls fn for every item, at most limit at once, and returns the results in the
// order of the items. If a call of fn fails or ctx ends, the results are nil. The error
// is then that of the call, or the cause with which ctx ended, whichever came first. A
// limit below 1 is an error.
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

// Each is like Map without results, for sequences that are too long to hold in memory. It
// reads the items in the caller's goroutine, and reads an item only when the calls for
// all earlier items have begun. After the call for an item has returned, Each has no
// reference to the item, so the item's memory can be freed. After an error it starts no
// further call.
func Each[T any](
	ctx context.Context, limit int, items iter.Seq[T], fn func(context.Context, T) error,
) error {
	if limit < 1 {
		return fmt.Errorf("fanout: limit is %d; it must be at least 1", limit)
	}

	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(limit)
	defer group.Wait() //nolint:errcheck // items may panic, and no call of fn may outlive this call

	for item := range items {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			if groupCtx.Err() != nil { // another call failed, or ctx ended, while this item waited
				return context.Cause(groupCtx)
			}
			return callRecovered(groupCtx, item, fn)
		})
	}

	if group.Wait() != nil {
		// The cause is what came first: an fn's error or the end of the caller's context.
		// The errors that follow are consequences.
		return context.Cause(groupCtx)
	}

	return context.Cause(ctx)
}

var errEnough = errors.New("fanout: the consumer needs no more")

// Ahead calls fn for every item that read passes to give, one after the other. While fn
// runs, read prepares the next item. If fn returns an error, Ahead cancels the context of
// read and returns that error. If give returns an error, read must return that error at
// once.
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

// callRecovered calls fn and converts a panic into an error. Without this, a panic in a
// separate goroutine would end the process and every task in it.
func callRecovered[T any](ctx context.Context, item T, fn func(context.Context, T) error) (err error) {
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
