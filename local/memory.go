package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// memoryPerTask is the most memory that a task needs, unless it has rows of many
// megabytes. leastMemory is the memory that the service and its store need. The soft
// memory limit is the larger of leastMemory and the sum of memoryPerTask over all tasks.
// Above it the garbage collector runs more often, which costs time, but nothing fails.
const (
	memoryPerTask = 32 << 20 // bytes
	leastMemory   = 64 << 20
)

// checkMemory is the time between two checks of the memory in use. lowerAfter is the time
// after which the limit is lowered if no collection has shown that it is still needed.
const (
	checkMemory = 100 * time.Millisecond
	lowerAfter  = 5 * time.Second
)

// limitMemory sets a soft memory limit, because the service may run on the host of a
// database, and returns it. GOMEMLIMIT takes precedence; limitMemory returns 0 then.
func limitMemory(tasks int) (limit int64) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return 0
	}
	limit = max(leastMemory, int64(tasks)*memoryPerTask)
	debug.SetMemoryLimit(limit)
	return limit
}

// adaptMemory raises the soft memory limit while values are in use that do not fit into
// it, until the context ends. Otherwise the garbage collector would run all the time
// without freeing anything. limit is the limit that limitMemory has set.
func adaptMemory(ctx context.Context, limit int64) {
	if limit == 0 {
		return
	}
	ticker := time.NewTicker(checkMemory)
	defer ticker.Stop()

	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	current := limit
	var cycles uint64
	var since time.Time // of the last collection that has been seen
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

// softLimit returns the soft memory limit if the last garbage collection has left this
// many bytes. If they fill most of the limit, the limit is raised so that as much memory
// as before, and at least a quarter of what is in use, can be allocated until the next
// collection.
func softLimit(limit, live int64) int64 {
	if live < limit/4*3 {
		return limit
	}
	return live + max(limit, live/4)
}
