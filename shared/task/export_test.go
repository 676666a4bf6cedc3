package task

import "time"

// SetLease shortens the lease for tests of what happens when it runs out.
func (r *Registry) SetLease(d time.Duration) { r.lease = d }
