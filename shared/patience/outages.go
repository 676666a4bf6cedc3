package patience

import (
	"sync"
	"time"

	"ace/shared/fault"
)

const (
	// brief is the budget of a step that fails as another step did that has waited as long
	// as it may: one more minute for each of 200 tasks on a dead node would stop all others.
	brief = 5 * time.Second
	// remembered is how long a failure that did not pass is remembered.
	remembered = 2 * time.Minute
)

// Outages remembers the failures for which steps have waited in vain, by their messages,
// which name the node. It is safe for concurrent use.
type Outages struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// limit returns the budget for a step that failed with err. A nil Outages remembers
// nothing.
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

// lasts records that a step has waited in vain.
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

// over records that a step has succeeded that failed with err before.
func (o *Outages) over(err error) {
	if o == nil || err == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.last, fault.PublicMessage(err))
}
