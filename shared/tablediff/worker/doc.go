// Package worker does single units of work of a comparison.
//
// A Worker sees only the stored plan and the parts of earlier units, so it can run in any
// process. It stores what a unit finds as one part and returns the part's totals. It is
// safe to do a unit again: the first part that is stored for it counts.
//
// # Compare and confirm
//
// A compare unit digests chunks of rows on all nodes. Where digests differ it lists keys
// and row digests, and the keys whose digests differ become candidates. Candidates may
// differ only because a change has not reached every node yet. So a confirm unit reads
// them again after confirm_delay. A candidate has these states:
//
//	new ─────────┬─ equal on all nodes ──────────────> resolved
//	             ├─ different, as last read ─────────> settled
//	             └─ different, changed since ──┐
//	                                           v
//	in flight ───┬─ equal on all nodes ──────────────> resolved
//	             ├─ different, as last read ─────────> settled
//	             ├─ different, changed since ────────> in flight, for confirmRounds at most
//	             └─ after the last round ────────────> unsettled
//
// A unit waits for plan.MaxAwaitedKeys candidates in flight at most; further ones are
// unsettled at once.
//
// A resolved candidate is not reported. The rows of the others are read in full, and
// their text decides: equal rows resolve the candidate; different rows are a finding. A
// finding is marked unsettled if its candidate is, or if its rows have changed since it
// was settled.
package worker
