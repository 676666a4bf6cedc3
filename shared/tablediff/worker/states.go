package worker

import "ace/shared/bitmap"

// candidateState is the progress of a candidate's confirmation. The package comment has a
// diagram.
type candidateState int

const (
	stateNew       candidateState = iota // unchanged since the first pass, as far as known
	stateSettled                         // the rows differ and did not change between two readings
	stateUnsettled                       // the rows were still changing when they were last read
	stateResolved                        // the rows are equal on all nodes
)

// candidateStates holds the state of each candidate of a unit by index. There can be as
// many candidates as rows, so a new candidate takes no memory and a resolved one takes a
// bit. The candidates in flight are not stored here; awaitSettled has a list of them.
type candidateStates struct {
	resolved  bitmap.Set
	settled   map[int64][]*int64 // per candidate that settled after a change: its digest on each node
	unsettled map[int64]bool
}

func newCandidateStates() candidateStates {
	return candidateStates{settled: map[int64][]*int64{}, unsettled: map[int64]bool{}}
}

// of returns the state of a candidate.
func (s *candidateStates) of(at int64) candidateState {
	switch {
	case s.resolved.Has(at):
		return stateResolved
	case s.unsettled[at]:
		return stateUnsettled
	case s.settled[at] != nil:
		return stateSettled
	}
	return stateNew
}

// resolve ends the confirmation of a candidate that is equal on all nodes.
func (s *candidateStates) resolve(at int64) { s.resolved.Add(at) }

// settle records the digests of a candidate that has settled after it had changed.
func (s *candidateStates) settle(at int64, digests []*int64) { s.settled[at] = digests }

// giveUp ends the wait for a candidate that keeps changing.
func (s *candidateStates) giveUp(at int64) { s.unsettled[at] = true }

// lastDigests returns the digests with which a candidate has settled. For a candidate
// that has not changed since the first pass, these are the digests of the first pass.
func (s *candidateStates) lastDigests(c indexed) []*int64 {
	if digests := s.settled[c.at]; digests != nil {
		return digests
	}
	return c.Digest
}
