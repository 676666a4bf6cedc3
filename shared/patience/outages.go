package patience

import (
	"sync"
	"time"

	"ace/shared/fault"
)

const (
	// brief is the budget of a step that fails with the same message as a step that has just
	// spent its whole budget in vain. Otherwise 200 tasks on a dead node would each wait a
	// minute, and delay all other tasks.
	brief = 5 * time.Second
	// remembered is how long Outages remembers a failure for which a step has waited in
	// vain.
	remembered = 2 * time.Minute
)

// Outages remembers the failures for which steps have waited in vain: they spent their
// whole budget, and the failure did not pass. Two failures are the same if their messages
// are equal; a message names the node. The zero Outages is ready for use. It is safe for
// concurrent use.
type Outages struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// limit returns the budget for a step that failed with err: at most brief if Outages
// remembers this failure, otherwise budget. A nil Outages remembers nothing.
func (o *Outages) limit(err error, budget time.Duration) time.Duration {
	if o == nil {
		return budget
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if at, ok := o.last[fault.PublicMessage(err)]; ok && time.Since(at) < remembered {
		return min(budget, brief)
	}
	return budget
}

// lasts records that a step has waited in vain for the failure err to pass.
func (o *Outages) lasts(err error) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last == nil {
		o.last = map[string]time.Time{}
	}
	for message, at := range o.last {
		if time.Since(at) >= remembered {
			delete(o.last, message)
		}
	}
	o.last[fault.PublicMessage(err)] = time.Now()
}

// over records that a step which had failed with err has succeeded, so the failure is
// over. err may be nil.
func (o *Outages) over(err error) {
	if o == nil || err == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.last, fault.PublicMessage(err))
}
