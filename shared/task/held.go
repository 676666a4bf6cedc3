package task

import (
	"context"
	"sync"
	"time"
)

// clockError bounds the error of an age by the store's clock, whose times are in whole
// seconds.
const clockError = 2 * time.Second

// trustFor bounds how old an answer from memory is if the store's clock jumps, which lets
// another process acquire a lease too early. A task that makes progress is written about
// once per second.
const trustFor = 2 * time.Second

// heldLeases has the leases that this process holds. It saves readings of records that no
// other process can change.
type heldLeases struct {
	mu     sync.Mutex
	leases map[string]*Lease
}

// add adds the lease of a task. It removes leases that were neither renewed nor ended.
func (h *heldLeases) add(id string, l *Lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leases == nil {
		h.leases = map[string]*Lease{}
	}
	for other, lease := range h.leases {
		if time.Since(*lease.confirmed.Load()) > 2*lease.registry.lease {
			delete(h.leases, other)
		}
	}
	h.leases[id] = l
}

// remove removes the lease of a task, unless the process holds another one by now.
func (h *heldLeases) remove(id string, l *Lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leases[id] == l {
		delete(h.leases, id)
	}
}

func (h *heldLeases) get(id string) *Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leases[id]
}

// Status is like Get, but it reads nothing from the store if this process runs the task.
// Then no other process can change the record: soon after a write, no other process can
// have acquired the lease. While a write is under way, or if its outcome is not known,
// Status reads the store. So no caller sees a version that is older than one that it has
// seen, in whichever process.
func (r *Registry) Status(ctx context.Context, id string) (Record, error) {
	if l := r.held.get(id); l != nil {
		if rec, ok := l.trusted(); ok {
			return rec, nil
		}
	}
	return r.Get(ctx, id)
}

// trusted returns the record that the lease wrote last, and whether it is certain that
// the store has no other version.
func (l *Lease) trusted() (Record, bool) {
	if l.uncertain.Load() || time.Since(*l.confirmed.Load()) >= min(trustFor, (l.registry.lease-clockError)/2) {
		return Record{}, false
	}
	return l.Record(), true
}
