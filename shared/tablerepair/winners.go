package tablerepair

import (
	"cmp"
	"context"

	"ace/shared/fault"
	"ace/shared/resolve"
	"ace/shared/table"
)

// winners is the source of a repair by rule: its rows are the winning rows of the stored
// decisions. It also has a transaction on each other voter, with which it checks that a
// decision still applies.
type winners struct {
	run    *unitRun
	voter  int    // index of the target among the voters
	others []peer // the other voters, in cluster order
	part   decidedPart
	locked *lockedRows // the locked rows of the target; nil in a dry run
}

// peer is another voter, with its index and a transaction on it.
type peer struct {
	Source
	voter int
}

// decidedPart has the decisions of one part that change the target, without their rows.
type decidedPart struct {
	n         int
	decisions []decision
	places    []int64 // for each decision, the number of its key among all keys
	changed   map[int]string
}

func (p *decidedPart) keys() []table.Key {
	keys := make([]table.Key, len(p.decisions))
	for i, d := range p.decisions {
		keys[i] = d.key
	}
	return keys
}

// openVoters opens the voters of a repair by rule.
func (j *unitRun) openVoters(ctx context.Context, nodes Opener) ([]Node, error) {
	opened, err := nodes.Open(ctx, j.plan.ClusterName, j.plan.DBName, j.plan.Resolve.names())
	if err != nil {
		return nil, err
	}
	for i := range opened {
		opened[i] = j.plan.bind(opened[i])
	}
	return opened, nil
}

// beginVoters opens a transaction on every voter, in the order of the nodes in the
// cluster. It calls target to open the target's transaction.
func (j *unitRun) beginVoters(ctx context.Context, target func(context.Context) error) (Source, error) {
	w := &winners{run: j, voter: j.plan.Resolve.voter(j.target.Node)}
	for i, v := range j.plan.Resolve.Voters {
		var tx Source
		var err error
		if i == w.voter {
			err = target(ctx)
		} else {
			tx, err = j.voters[i].Begin(ctx, v.Read.Strict())
		}
		if err != nil {
			w.Close()
			return nil, err
		}
		if i != w.voter {
			w.others = append(w.others, peer{tx, i})
		}
	}
	return w, nil
}

// readDecisions returns the decisions of the n-th part that change the target. It keeps
// the part that was read last.
func (j *unitRun) readDecisions(ctx context.Context, n int) (decidedPart, error) {
	if j.decisions.decisions != nil && j.decisions.n == n {
		return j.decisions, nil
	}
	p, err := j.loadDecisions(ctx, n)
	if err == nil {
		j.decisions = p
	}
	return p, err
}

func (j *unitRun) loadDecisions(ctx context.Context, n int) (decidedPart, error) {
	p := decidedPart{n: n}
	r, err := openDecisions(ctx, j.store, j.plan, n)
	if err != nil {
		return p, err
	}
	defer r.close()

	voter := j.plan.Resolve.voter(j.target.Node)
	for place := int64(n) * keysPerPart; ; place++ {
		d, more, err := r.next(true)
		if err != nil || !more {
			return p, err
		}
		if d.changes(voter) {
			p.decisions, p.places = append(p.decisions, d), append(p.places, place)
		}
	}
}

// Rows implements Source. It returns the winning rows of keys, which must be keys of the
// current part, in their order.
func (w *winners) Rows(ctx context.Context, _ table.Source, keys []table.Key) (table.RowStream, error) {
	return w.rows(ctx, w.part.n, keys)
}

// rows returns the winning rows of keys, which must be keys of the n-th part.
func (w *winners) rows(ctx context.Context, n int, keys []table.Key) (table.RowStream, error) {
	r, err := openDecisions(ctx, w.run.store, w.run.plan, n)
	if err != nil {
		return nil, err
	}
	return &winnerStream{reader: r, keys: keys}, nil
}

// winnerStream returns the winning rows of keys.
type winnerStream struct {
	reader *decisionReader
	keys   []table.Key
	next   int // index of the next key
}

// Next implements table.RowStream.
func (s *winnerStream) Next() (int, table.KeyedRow, error) {
	for s.next < len(s.keys) {
		d, more, err := s.reader.next(false)
		if err != nil {
			return -1, table.KeyedRow{}, err
		}
		if !more {
			return -1, table.KeyedRow{}, fault.New(fault.Internal, "the key %s has no decision", s.keys[s.next])
		}
		if !d.key.Equal(s.keys[s.next]) {
			continue
		}
		s.next++
		if d.verdict == resolve.Row {
			return s.next - 1, table.KeyedRow{Digest: d.digest, Row: d.row}, nil
		}
	}
	return -1, table.KeyedRow{}, nil
}

// Close implements table.RowStream.
func (s *winnerStream) Close() error {
	s.reader.close()
	return nil
}

// Renew implements Source.
func (w *winners) Renew(ctx context.Context) error {
	var err error
	for _, p := range w.others {
		err = cmp.Or(err, p.Renew(ctx))
	}
	return err
}

// Close implements Reader.
func (w *winners) Close() {
	for _, p := range w.others {
		p.Source.Close()
	}
}

// CheckAbsent implements Reader. The absence of rows was checked when the keys were
// decided.
func (w *winners) CheckAbsent(context.Context, table.Source, []table.Key) error { return nil }

var errNoSource = fault.New(fault.Internal, "the winning rows of a repair by rule are read only by key")

// Digests implements Reader. It is not used.
func (w *winners) Digests(context.Context, table.Source, []table.Key, ...table.CallOption) ([]*int64, error) {
	return nil, errNoSource
}

// Fingerprints implements Reader. It is not used.
func (w *winners) Fingerprints(context.Context, table.Source, []table.Range, table.FingerprintRequest, ...table.CallOption) ([]table.Fingerprint, error) {
	return nil, errNoSource
}

// SetSearchPath implements Reader. It is not used.
func (w *winners) SetSearchPath(context.Context, string) error { return errNoSource }

// Convert implements Reader. It is not used.
func (w *winners) Convert(context.Context, []table.Conversion, []table.Row) ([]table.Row, error) {
	return nil, errNoSource
}

// WrittenSince implements Source. It is not used.
func (w *winners) WrittenSince(context.Context, table.Source, []table.Key, string) ([]bool, error) {
	return nil, errNoSource
}

// Orphans implements Source. It is not used.
func (w *winners) Orphans(context.Context, table.Target, table.ForeignKey, []int, []table.Row, bool) (int64, error) {
	return 0, errNoSource
}
