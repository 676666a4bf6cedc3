package tablediff

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"

	"ace/shared/archive"
	"ace/shared/diffarchive"
	"ace/shared/diffkeys"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// keyList has the totals of the keys of a rerun. It is stored in the footer of the part
// of phase plan.PhaseKeyList. That part exists once the keys of all blocks are stored.
type keyList struct {
	Blocks int   `json:"blocks"`
	Keys   int64 `json:"keys"`
}

// keysIn returns the number of keys in the blocks in [from, to). Every block of the
// document except the last has plan.BlockKeys keys.
func (l keyList) keysIn(from, to int) int64 {
	return min(int64(to)*plan.BlockKeys, l.Keys) - int64(from)*plan.BlockKeys
}

// listKeys stores the keys of the document, one part per block, unless an earlier run has
// done so.
func (r *run) listKeys(ctx context.Context) error {
	defer r.timings.measure(plan.PhaseKeys)()
	r.progress.setPhase(plan.PhaseKeys)

	// The part of this unit is stored after the parts of all keys. So a run that finds this
	// part need not list the keys again.
	done := r.unit(plan.PhaseKeyList, 0)
	err := part.ReadTotals(ctx, r.Store, done.PartKey(), done.PartHeader(), &r.keyList)
	if errors.Is(err, archive.ErrNotFound) {
		err = r.retry(ctx, "listing of keys", func() (err error) {
			if r.keyList, err = r.writeKeys(ctx); err != nil {
				return err
			}
			return storeTotals(ctx, r.Store, done, r.keyList)
		})
	}
	if err != nil {
		return err
	}

	r.progress.setKeyTotals(r.keyList, len(r.plan.Nodes))

	size := r.plan.Layout.BlocksPerBatch
	for from := 0; from < r.keyList.Blocks; from += size {
		u := r.unit(plan.PhaseCompare, from/size)
		u.From = from
		u.To = min(from+size, r.keyList.Blocks)
		r.compares = append(r.compares, u)
	}

	return nil
}

// writeKeys reads the document and stores its keys. It stores no key before it has
// verified that the document is the one that the plan names.
func (r *run) writeKeys(ctx context.Context) (keyList, error) {
	nodes, err := plan.OpenNodes(ctx, r.Nodes, r.plan)
	if err != nil {
		return keyList{}, err
	}

	d, err := diffarchive.Open(ctx, r.Store, *r.plan.Document)
	if err != nil {
		return keyList{}, err
	}
	defer d.Close()

	order := keyOrder{plan: r.plan, nodes: nodes}
	keys, err := diffkeys.Collect(ctx, d.Reader, diffkeys.Options{
		Columns: r.plan.Key, Rank: order.rank(ctx), Canonical: order.canonicalKeys(ctx),
		Spool: diffarchive.NewSpool(r.Store, r.plan.TaskID),
	})
	if err != nil {
		return keyList{}, err
	}
	if err := d.Verify(); err != nil {
		return keyList{}, err
	}

	w := keyWriter{run: r}
	defer w.abort()

	for key, err := range keys.All(ctx) {
		if err != nil {
			return keyList{}, err
		}
		if err := w.add(ctx, key); err != nil {
			return keyList{}, err
		}
	}

	return w.list, w.end(ctx)
}

// keyWriter stores keys as parts, one part per block.
type keyWriter struct {
	run    *run
	list   keyList
	unit   plan.Unit
	out    *part.Writer // the part being written; nil if there is none
	digest hash.Hash
	totals plan.KeyTotals
	line   []byte
}

func (w *keyWriter) add(ctx context.Context, key table.Key) (err error) {
	if w.out == nil {
		w.unit = w.run.unit(plan.PhaseKeys, w.list.Blocks)
		w.digest = sha256.New()
		w.totals = plan.KeyTotals{}
		if w.out, err = part.Create(ctx, w.run.Store, w.unit.PartKey(), w.unit.PartHeader()); err != nil {
			return err
		}
	}

	w.line = table.AppendKey(w.line[:0], key)
	w.digest.Write(w.line)
	if err := w.out.Line(w.line); err != nil {
		return err
	}

	w.list.Keys++
	if w.totals.Keys++; w.totals.Keys < plan.BlockKeys {
		return nil
	}

	return w.end(ctx)
}

// end stores the open part, if there is one. If an earlier run has stored this part, its
// keys must be the same, since units may already have used it.
func (w *keyWriter) end(ctx context.Context) error {
	if w.out == nil {
		return nil
	}

	w.totals.SHA256 = hex.EncodeToString(w.digest.Sum(nil))
	err := w.out.Commit(ctx, w.totals)
	w.out = nil
	w.list.Blocks++
	if !errors.Is(err, archive.ErrPrecondition) {
		return err
	}

	var stored plan.KeyTotals
	if err := part.ReadTotals(ctx, w.run.Store, w.unit.PartKey(), w.unit.PartHeader(), &stored); err != nil {
		return err
	}
	if stored != w.totals {
		return fault.New(fault.Invalid, "the order or text of the table's keys has changed since the task began: block %d has other keys now; submit the rerun again", w.unit.Index+1)
	}

	return nil
}

func (w *keyWriter) abort() {
	if w.out != nil {
		w.out.Abort()
	}
}

// storeTotals stores a part that has no rows, only totals. If the part is already stored,
// storeTotals changes nothing and returns nil.
func storeTotals(ctx context.Context, store archive.Store, u plan.Unit, totals any) error {
	out, err := part.Create(ctx, store, u.PartKey(), u.PartHeader())
	if err != nil {
		return err
	}
	if err := out.Commit(ctx, totals); !errors.Is(err, archive.ErrPrecondition) {
		return err
	}
	return nil
}

// keyOrder asks the nodes for what only a server knows about keys: their order, and
// whether they are valid.
type keyOrder struct {
	plan  *plan.Plan
	nodes []plan.Node
}

// rank returns a function that asks the first node for the rank of each key in key order.
func (o keyOrder) rank(ctx context.Context) func([]table.Key) ([]int, error) {
	return func(keys []table.Key) ([]int, error) {
		if err := o.checkReadable(ctx, keys); err != nil {
			return nil, err
		}
		return o.nodes[0].RankKeys(ctx, o.plan.Sources[0], keys)
	}
}

// checkReadable fails if there is a key that no node can read as values of the key's
// types (for instance, abc if the key is an integer). Without this check such a key would
// count as resolved, since no node has a row for it.
func (o keyOrder) checkReadable(ctx context.Context, keys []table.Key) error {
	return diffkeys.CheckReadable(keys, len(o.nodes), func(node int, keys []table.Key) (map[int]error, error) {
		return o.nodes[node].UnreadableKeys(ctx, o.plan.Sources[node], keys)
	})
}

// canonicalKeys returns a function that returns the same spelling for equal keys: the
// spelling in the row of the first node that has a row for the key. The function is
// needed only if keys are ordered by their text (ByText). Otherwise canonicalKeys returns
// nil, because equal keys have equal ranks.
func (o keyOrder) canonicalKeys(ctx context.Context) func([]table.Key) ([]table.Key, error) {
	if !o.plan.ByText {
		return nil
	}
	return func(keys []table.Key) ([]table.Key, error) {
		canonical := make([]table.Key, len(keys))
		for node := range o.nodes {
			texts, err := o.spellings(ctx, node, keys)
			if err != nil {
				return nil, err
			}

			for i := range keys {
				if canonical[i] == nil {
					canonical[i] = texts[i]
				}
			}
		}

		for i, key := range keys {
			if canonical[i] == nil { // no node has a row for the key any more
				canonical[i] = key
			}
		}

		return canonical, nil
	}
}

func (o keyOrder) spellings(ctx context.Context, node int, keys []table.Key) ([]table.Key, error) {
	source := o.plan.Sources[node]
	tx, err := o.nodes[node].Begin(ctx, source.Access())
	if err != nil {
		return nil, err
	}
	defer tx.Close()
	return tx.Spellings(ctx, source, keys, table.EndTransaction)
}

// checkKeysCompared verifies that the compare parts cover every block of keys once and
// have compared every key in it. Without this check, the verdict could be a match
// although rows differ.
func checkKeysCompared(list keyList, parts []plan.Totals) error {
	block := 0
	for i, p := range parts {
		if p.From != block || p.To <= p.From || p.To > list.Blocks {
			return fault.New(fault.Internal, "part %d of %d has blocks %d to %d of %d, but the part before it ends at %d: the comparison is incomplete",
				i+1, len(parts), p.From, p.To, list.Blocks, block)
		}

		if want := list.keysIn(p.From, p.To); p.Keys != want || p.Keys != p.Resolved+p.Candidates {
			return fault.New(fault.Internal, "part %d of %d has compared %d of %d keys, of which %d are equal and %d differ: the comparison is incomplete",
				i+1, len(parts), p.Keys, want, p.Resolved, p.Candidates)
		}

		block = p.To
	}

	if block != list.Blocks {
		return fault.New(fault.Internal, "the parts cover %d of %d blocks: the comparison is incomplete", block, list.Blocks)
	}

	return nil
}
