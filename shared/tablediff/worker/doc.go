// Package worker does single units of work of a comparison.
//
// A Worker sees only the stored plan and the parts of earlier units, so it can run in any
// process. It stores what a unit finds as one part and returns the part's totals. A unit
// may be done more than once: only the first stored part counts.
//
// # Compare and confirm
//
// A compare unit digests chunks of rows on all nodes. If the digests of a chunk differ,
// it lists the chunk's keys and row digests. This is called narrowing. The keys whose
// digests differ become candidates. A candidate may differ only because a change has not
// reached every node yet. So a confirm unit reads the candidates again after
// confirm_delay. A candidate has these states:
//
//	new ─────────┬─ equal on all nodes ──────────────> resolved
//	             ├─ different, same as last reading ─> settled
//	             └─ different, changed since ──┐
//	                                           v
//	in flight ───┬─ equal on all nodes ──────────────> resolved
//	             ├─ different, same as last reading ─> settled
//	             ├─ different, changed since ────────> in flight, up to confirmRounds times
//	             └─ after the last round ────────────> unsettled
//
// A unit waits for at most plan.MaxAwaitedKeys candidates in flight. All further ones
// become unsettled at once.
//
// A resolved candidate is not reported. The rows of all other candidates are read in full
// and their text is compared. If the rows are equal, the candidate is resolved; if they
// differ, it becomes a finding. A finding is marked unsettled if its candidate is
// unsettled, or if its rows have changed since the candidate settled.
package worker
