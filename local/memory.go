package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The soft memory limit is the larger of leastMemory and the sum of memoryPerTask over
// all tasks, in bytes. Above the limit the garbage collector runs more often, which costs
// time, but nothing fails.
const (
	// memoryPerTask is the most memory that a task needs, unless its table has rows of
	// many megabytes.
	memoryPerTask = 32 << 20
	// leastMemory is the memory that the service and its store need.
	leastMemory = 64 << 20
	// collectAt is the value of GOGC: how much may be allocated until the next garbage
	// collection, in percent of the memory in use. Most memory is garbage soon, so with
	// Go's default of 100 a repair spends a quarter of its processor time on collections.
	// The soft memory limit bounds the memory in any case.
	collectAt = 400
)

const (
	// checkMemory is the time between two checks of the memory in use.
	checkMemory = 100 * time.Millisecond
	// lowerAfter is the time without a garbage collection after which adaptMemory lowers a
	// raised limit to its initial value. If the memory is still in use, the lower limit
	// causes a collection, and then adaptMemory raises the limit again.
	lowerAfter = 5 * time.Second
)

// limitMemory sets a soft memory limit, because the service may run on the host of a
// database, and returns the limit. Below the limit, garbage is collected less often than
// by default. If GOMEMLIMIT is set, limitMemory changes nothing and returns 0; if GOGC is
// set, its value remains.
func limitMemory(tasks int) (limit int64) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return 0
	}
	limit = max(leastMemory, int64(tasks)*memoryPerTask)
	debug.SetMemoryLimit(limit)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	return limit
}

// adaptMemory adapts the soft memory limit until the context ends: it raises the limit
// while the values in use do not fit into it. Otherwise the garbage collector would run
// all the time without freeing anything. limit is the result of limitMemory; 0 means that
// adaptMemory must not change the limit.
func adaptMemory(ctx context.Context, limit int64) {
	if limit == 0 {
		return
	}
	ticker := time.NewTicker(checkMemory)
	defer ticker.Stop()

	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	current := limit
	var cycles uint64
	var since time.Time // the time of the check that first noticed the last collection
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			metrics.Read(sample)
			wanted := limit
			if seen := sample[1].Value.Uint64(); seen != cycles {
				cycles, since = seen, now
			}
			if now.Sub(since) < lowerAfter {
				wanted = softLimit(limit, int64(sample[0].Value.Uint64()))
			}
			if wanted != current {
				current = wanted
				debug.SetMemoryLimit(current)
			}
		}
	}
}

// softLimit returns the soft memory limit to set. limit is the result of limitMemory, and
// live is the number of bytes that the last garbage collection left in use. If live is at
// least three quarters of limit, the soft limit is raised above live. The difference is
// limit, or a quarter of live if that is more.
func softLimit(limit, live int64) int64 {
	if live < limit/4*3 {
		return limit
	}
	return live + max(limit, live/4)
}
