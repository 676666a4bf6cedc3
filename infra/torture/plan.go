package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// The stores of an archive.
const (
	storeDir   = "dir"
	storeMinIO = "minio"
)

const nodeCount = 3

// fault is one fault of a run. It begins at a time after the start of the run and is
// healed after a duration.
type fault struct {
	kind   faultKind
	target int // index of the node or of the service
	at     time.Duration
	lasts  time.Duration
	size   int64 // meaning depends on kind, such as bytes until a connection is reset
}

func (f fault) String() string {
	return fmt.Sprintf("%s %d at %s for %s (%d)", f.kind, f.target+1, f.at.Round(time.Millisecond), f.lasts.Round(time.Millisecond), f.size)
}

// plan is everything that a seed determines: the store, the faults with their times, and
// the seeds of the lanes.
type plan struct {
	seed     uint64
	store    string
	length   time.Duration // how long faults happen
	services int           // processes of `ace serve` on the archive
	memory   string        // GOMEMLIMIT of the services, or ""
	faults   []fault
}

// drawPlan returns the plan of a seed. The kinds of faults that need root are left out
// unless root is set.
func drawPlan(seed uint64, store string, length time.Duration, root bool) plan {
	r := rand.New(rand.NewPCG(seed, uint64(len(store))))
	p := plan{seed: seed, store: store, length: length, services: 1}
	if store == storeMinIO {
		p.services += r.IntN(2)
	}
	if r.IntN(3) == 0 {
		p.memory = "16MiB"
	}
	kinds := slices.DeleteFunc(faultKinds(), func(k faultKind) bool {
		return k.store != "" && k.store != store || k.needsRoot && !root
	})
	used := map[string]bool{}
	for range 5 + r.IntN(5) {
		kind := kinds[r.IntN(len(kinds))]
		// A standby is a copy in another directory, which cannot have the same tablespace.
		if slices.ContainsFunc(kind.excludes, func(other string) bool { return used[other] }) || kind.once && used[kind.String()] {
			continue
		}
		used[kind.String()] = true
		p.faults = append(p.faults, p.drawFault(r, kind))
	}
	slices.SortFunc(p.faults, func(a, b fault) int { return int(a.at - b.at) })
	return p
}

func (p plan) drawFault(r *rand.Rand, kind faultKind) fault {
	f := fault{kind: kind, at: time.Duration(r.Int64N(int64(p.length) * 4 / 5)), size: 1 << r.IntN(17)}
	f.lasts = 50*time.Millisecond + time.Duration(r.Int64N(int64(p.length)/2))
	switch kind.of {
	case ofNode:
		f.target = r.IntN(nodeCount)
	case ofService:
		f.target = r.IntN(p.services)
	}
	return f
}

// has reports whether a kind of fault is in the plan, and on which target.
func (p plan) has(kind string) (target int, ok bool) {
	for _, f := range p.faults {
		if f.kind.String() == kind {
			return f.target, true
		}
	}
	return 0, false
}

func (p plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, store %s, %d service(s), GOMEMLIMIT %q", p.seed, p.store, p.services, p.memory)
	for _, f := range p.faults {
		fmt.Fprintf(&b, "\n    %s", f)
	}
	return b.String()
}
