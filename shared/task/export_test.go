package task

import "time"

// SetLease shortens the lease for tests of its expiry.
func (r *Registry) SetLease(d time.Duration) { r.lease = d }
