package worker

import (
	"context"

	"ace/shared/bitmap"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/redact"
	"ace/shared/retry"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

const (
	// confirmRounds is how often a key that keeps changing is read again before it is
	// reported as unsettled.
	confirmRounds = 5
	// limitSlack is the number of candidates beyond max_diff_rows whose rows are still
	// read, because earlier candidates may be resolved.
	limitSlack = 10_000
)

// confirm does a confirm unit. It reads the candidates of the compare unit with the same
// number again, by key and without the filter. See the package comment for the states of
// a candidate.
func (r *unitRun) confirm(ctx context.Context) error {
	encoder, err := difffile.NewEncoder(r.plan.Columns)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "cannot encode rows of this table")
	}

	nodes, pairs := len(r.nodes), r.plan.Pairs()
	c := &confirmation{
		run: r, encoder: encoder, pairs: pairs, keyAt: r.plan.KeyColumns(), states: newCandidateStates(),
		nodeRows: make([]table.Row, nodes), writes: make([]*table.LastWrite, nodes), encodedWrites: make([][]byte, nodes), digests: make([]*int64, nodes), differs: make([]bool, len(pairs)),
		encoded: make([]difffile.Encoded, nodes), rows: make([]difffile.Encoded, nodes),
		hasher: r.plan.Redaction.Hasher(r.plan.ColumnNames()),
	}

	r.totals.RowsPerNode = make([]int64, nodes)
	r.totals.Outliers = make([]plan.OutlierTotals, nodes)
	r.totals.Pairs = make([]plan.PairTotals, len(pairs))
	for p := range r.totals.Pairs {
		r.totals.Pairs[p].Columns = make([]int64, len(r.plan.Columns))
	}

	if r.plan.ConfirmDelay == 0 {
		return c.report(ctx, 0)
	}

	from, done, err := c.reportWhileUnchanged(ctx)
	if err != nil || done {
		return err
	}
	if err := c.awaitSettled(ctx, from); err != nil {
		return err
	}

	return c.report(ctx, from)
}

// confirmation is the state of one confirm unit. Candidates are identified by their index
// in the compare part.
type confirmation struct {
	run            *unitRun
	encoder        *difffile.Encoder
	hasher         *redact.Hasher // nil if no column is redacted
	pairs          []plan.Pair
	keyAt          []int // index of each key column in a row
	states         candidateStates
	stopOnChange   bool            // report stops at a candidate that has changed, see reportWhileUnchanged
	positions      []int64         // number of candidates of each pair so far, including those of earlier units
	blocks         bitmap.Set      // blocks with a mismatched key
	variants       []keyVariant    // other spellings found while the rows were judged, see checkVariants
	candidateTexts map[string]bool // for the keys being judged: texts of those other spellings that are candidates too, see findVariants

	// Buffers for the key that is being judged. The next key reuses them.
	nodeRows      []table.Row
	writes        []*table.LastWrite
	encodedWrites [][]byte
	digests       []*int64
	differs       []bool
	key           []byte
	encoded       []difffile.Encoded
	rows          []difffile.Encoded
}

// indexed is a candidate and its index in the compare part.
type indexed struct {
	plan.Candidate
	at int64
}

// candidates reads the compare part with the unit's number, beginning at candidate from.
// It calls fn with portions of up to plan.LookupKeys candidates. fn must not use the
// slice after it has returned.
func (c *confirmation) candidates(ctx context.Context, from int64, fn func([]indexed) error) error {
	return c.candidatesOf(ctx, c.run.unit.Index, from, fn)
}

// candidatesOf is like candidates, for the compare part with the number index.
func (c *confirmation) candidatesOf(ctx context.Context, index int, from int64, fn func([]indexed) error) error {
	source := plan.Unit{TaskID: c.run.unit.TaskID, PlanHash: c.run.unit.PlanHash, Phase: plan.PhaseCompare, Index: index}
	reader, err := part.Open(ctx, c.run.store, source.PartKey(), source.PartHeader())
	if err != nil {
		return err
	}
	defer reader.Close()

	nodes := len(c.run.plan.Nodes)
	portion := make([]indexed, 0, plan.LookupKeys)
	for at := int64(0); ; at++ {
		line, err := reader.NextLine()
		if err != nil {
			return err
		}

		if line != nil && at >= from {
			c, err := plan.ReadCandidate(line, nodes)
			if err != nil {
				return reader.Damaged(err)
			}

			portion = append(portion, indexed{Candidate: c, at: at})
		}

		if len(portion) == plan.LookupKeys || line == nil && len(portion) > 0 {
			if err := fn(portion); err != nil {
				return err
			}
			portion = portion[:0]
		}

		if line == nil {
			return nil
		}
	}
}

// awaitSettled reads the digests of the candidates, beginning at candidate from.
// Candidates that have changed since the first pass are read up to confirmRounds more
// times, until they settle.
func (c *confirmation) awaitSettled(ctx context.Context, from int64) error {
	var inFlight []indexed
	err := c.candidates(ctx, from, func(portion []indexed) error {
		changed, err := c.readRound(ctx, portion, true)
		for _, candidate := range changed {
			if len(inFlight) < plan.MaxAwaitedKeys {
				inFlight = append(inFlight, candidate)
			} else {
				c.states.giveUp(candidate.at)
			}
		}
		return err
	})
	if err != nil {
		return err
	}

	for range confirmRounds {
		if len(inFlight) == 0 {
			return nil
		}
		if err := retry.Sleep(ctx, 2*c.run.plan.ConfirmDelay); err != nil {
			return err
		}
		if inFlight, err = c.readAgain(ctx, inFlight); err != nil {
			return err
		}
	}

	for _, candidate := range inFlight {
		c.states.giveUp(candidate.at)
	}

	return nil
}

// readAgain reads all in-flight keys once more, in portions, and returns those that have
// changed again.
func (c *confirmation) readAgain(ctx context.Context, inFlight []indexed) ([]indexed, error) {
	var still []indexed
	for len(inFlight) > 0 {
		n := min(plan.LookupKeys, len(inFlight))
		changed, err := c.readRound(ctx, inFlight[:n], false)
		if err != nil {
			return nil, err
		}

		still = append(still, changed...)
		inFlight = inFlight[n:]
	}
	return still, nil
}

// readRound reads the digests of some candidates. It returns the candidates that still
// differ and whose digests have changed since they were last read, and records which of
// the other candidates are resolved or settled. first means that the candidates were last
// read in the first pass. Then the digests of unchanged candidates are in the compare
// part, so they are not stored in memory.
func (c *confirmation) readRound(ctx context.Context, portion []indexed, first bool) ([]indexed, error) {
	now, err := c.readDigests(ctx, portion)
	if err != nil {
		return nil, err
	}

	var changed []indexed
	for i, candidate := range portion {
		digest := digestsAt(now, i)
		switch {
		case allSame(digest):
			c.states.resolve(candidate.at)
			c.run.recordAbsentNodes(candidate.Key, digest)

		case !sameDigests(digest, candidate.Digest):
			candidate.Digest = digest
			changed = append(changed, candidate)

		case !first:
			c.states.settle(candidate.at, digest)
		}
	}

	return changed, nil
}

// readDigests reads the digest of each candidate's row. The result has, for each node and
// each candidate, the digest, or nil if the node has no row.
func (c *confirmation) readDigests(ctx context.Context, portion []indexed) ([][]*int64, error) {
	return c.readDigestsBy(ctx, portion, func(s table.Source) string { return s.Digest })
}

// readDigestsBy is like readDigests, but uses the digest expression that the function
// digest returns for a source, such as its TextDigest.
func (c *confirmation) readDigestsBy(ctx context.Context, portion []indexed, digest func(table.Source) string) ([][]*int64, error) {
	keys := keysOf(portion)
	now := make([][]*int64, len(c.run.nodes))
	err := c.run.inSnapshots(ctx, func(txs []plan.Tx) error {
		return c.run.onAll(ctx, func(ctx context.Context, node int) (err error) {
			source := c.run.plan.Sources[node]
			source.Digest = digest(source)
			now[node], err = txs[node].Digests(ctx, source, keys, table.EndTransaction)
			return err
		})
	})
	return now, err
}

func allSame(digests []*int64) bool {
	for _, d := range digests[1:] {
		if !sameDigest(digests[0], d) {
			return false
		}
	}
	return true
}

func sameDigests(a, b []*int64) bool {
	for i := range a {
		if !sameDigest(a[i], b[i]) {
			return false
		}
	}
	return true
}
