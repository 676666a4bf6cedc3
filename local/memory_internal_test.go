package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// Case O-P32, see docs/RELIABILITY.md.
func TestAdaptMemory_RaisesTheLimitWhileLargeValuesAreInUse(t *testing.T) {
	const limit, value = 64 << 20, 200 << 20
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go adaptMemory(ctx, limit)
		after := func(wait time.Duration, what string, wanted func(int64) bool) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()
			if got := debug.SetMemoryLimit(-1); !wanted(got) {
				t.Errorf("%s the limit is %d MB", what, got>>20)
			}
		}
		isRaised := func(got int64) bool { return got >= value+limit && got < 2*value }
		isDefault := func(got int64) bool { return got == limit }

		large := make([]byte, value)
		runtime.GC()
		after(2*checkMemory, "with a large value in use", isRaised)
		after(lowerAfter, "without a collection for a while", isDefault)

		runtime.GC()
		after(2*checkMemory, "with the value still in use", isRaised)
		runtime.KeepAlive(large)
		runtime.GC()
		after(2*checkMemory, "without the value", isDefault)
	})
}
