package tablerepair

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/part"
	"ace/shared/resolve"
	"ace/shared/table"
)

// decideKeys does one unit of deciding: it reads the versions of the n-th part of keys on
// every node, decides, and stores the decisions. If the decisions are stored already, by
// an earlier run or by another runner, it does nothing: the first stored decisions count.
func (j *unitRun) decideKeys(ctx context.Context, n int) error {
	key, header := j.plan.decisionPart(n)
	if _, err := j.store.Stat(ctx, key); !errors.Is(err, archive.ErrNotFound) {
		return err
	}

	keys, err := readKeys(ctx, j.store, j.plan, j.plan.Resolve.Keys, n)
	if err != nil {
		return err
	}
	decides, err := j.plan.decider(ctx, j.voters[0])
	if err != nil {
		return err
	}
	out, err := part.CreatePacked(ctx, j.store, key, header)
	if err != nil {
		return err
	}
	defer out.Abort()

	k := &keyDecider{plan: j.plan, decides: decides, out: out, totals: decidedTotals{Changes: make([]int64, len(j.plan.Resolve.Voters))}}
	if err := k.decide(ctx, j.voters, keys); err != nil {
		return err
	}

	// Durable: the decisions. From here on they are never made again.
	if err := out.Commit(ctx, k.totals); !errors.Is(err, archive.ErrPrecondition) {
		return err
	}
	return nil
}

// keyDecider decides one part of keys.
type keyDecider struct {
	plan    *Plan
	decides resolve.Decider
	out     *part.Writer
	totals  decidedTotals
	readers []Source // for each voter
	absent  [][]table.Key
	line    []byte
}

// decide reads the versions of all keys, one snapshot per node, and writes a decision for
// each.
func (k *keyDecider) decide(ctx context.Context, nodes []Node, keys []table.Key) error {
	defer k.close()
	k.absent = make([][]table.Key, len(nodes))
	rows, err := k.open(ctx, nodes, keys)
	if err == nil {
		err = k.eachWindow(ctx, rows, keys)
	}
	for _, r := range rows {
		err = cmp.Or(err, r.stream.Close())
	}
	if err != nil {
		return err
	}
	return k.checkAbsent(ctx)
}

// open opens a stream of the rows of each node. The caller must close the streams, even
// after an error.
func (k *keyDecider) open(ctx context.Context, nodes []Node, keys []table.Key) (rows []*lookahead, err error) {
	for i, v := range k.plan.Resolve.Voters {
		tx, err := nodes[i].Begin(ctx, v.Read.Strict())
		if err != nil {
			return rows, err
		}
		k.readers = append(k.readers, tx)

		read := v.Read
		read.Writes = k.decides.Needs().Times
		stream, err := tx.Rows(ctx, read, keys)
		if err != nil {
			return rows, err
		}
		rows = append(rows, &lookahead{stream: stream})
	}
	return rows, nil
}

func (k *keyDecider) close() {
	for _, tx := range k.readers {
		tx.Close()
	}
}

// readCase is a case and the digests of the rows as the nodes returned them.
type readCase struct {
	resolve.Case
	digests []int64
}

// eachWindow decides about the keys, one window at a time, so that memory does not depend
// on how large the rows are together. While a window is decided and stored, the next one
// is read.
func (k *keyDecider) eachWindow(ctx context.Context, rows []*lookahead, keys []table.Key) error {
	return fanout.Ahead(ctx, func(_ context.Context, give func([]readCase) error) error {
		var window []readCase
		size := 0
		for i, key := range keys {
			c, bytes, err := k.readCase(rows, i, key)
			if err != nil {
				return err
			}
			size += bytes
			window = append(window, c)
			if len(window) < windowRows && size < windowBytes && i < len(keys)-1 {
				continue
			}
			if err := give(window); err != nil {
				return err
			}
			window, size = nil, 0
		}
		return nil
	}, func(window []readCase) error { return k.window(ctx, window) })
}

// readCase reads the versions of the i-th key. It also returns their size in bytes.
func (k *keyDecider) readCase(rows []*lookahead, i int, key table.Key) (c readCase, size int, err error) {
	c = readCase{resolve.Case{Key: key, Versions: make([]resolve.Version, len(rows))}, make([]int64, len(rows))}
	for voter, r := range rows {
		read, err := r.at(i)
		if err != nil {
			return c, 0, err
		}
		c.Versions[voter], c.digests[voter] = versionOf(read), read.Digest
		size += change{After: read.Row}.size()
		if read.Row == nil && k.plan.Resolve.Voters[voter].Small {
			k.absent[voter] = append(k.absent[voter], key)
		}
	}
	mergeEqual(c.Versions)
	return c, size, nil
}

func versionOf(r table.KeyedRow) resolve.Version {
	if r.Row == nil {
		return resolve.Version{}
	}
	v := resolve.Version{Present: true, Digest: r.Digest, Row: r.Row}
	v.Time, v.Origin = parseWriteTime(r.Write)
	v.Repaired = strings.HasPrefix(v.Origin, table.RepairOrigin)
	return v
}

// mergeEqual sets the same digest for versions with the same texts. Rows with the same
// texts can have different digests: an expression may digest the stored form of a value.
func mergeEqual(versions []resolve.Version) {
	for i := range versions {
		for k := range i {
			a, b := &versions[k], &versions[i]
			if a.Present && b.Present && a.Digest != b.Digest && a.Row.Equal(b.Row) {
				b.Digest = a.Digest
			}
		}
	}
}

// window decides cases and writes the decisions.
func (k *keyDecider) window(ctx context.Context, window []readCase) error {
	cases := make([]resolve.Case, len(window))
	for i, c := range window {
		cases[i] = c.Case
	}
	decisions, err := k.decides.Decide(ctx, cases)
	if err != nil {
		return err
	}
	for i, of := range decisions {
		d := newDecision(window[i], of)
		k.totals.count(&d)
		k.line = d.appendPacked(k.line[:0])
		if err := k.out.Line(k.line); err != nil {
			return err
		}
	}
	return nil
}

func newDecision(c readCase, of resolve.Decision) decision {
	d := decision{key: c.Key, verdict: of.Verdict, rule: of.Rule, reason: of.Reason, seen: make([]seenVersion, len(c.Versions))}
	winner := resolve.Version{}
	switch {
	case of.Verdict == resolve.Row && of.Node == resolve.Composed:
		d.row = of.Row
	case of.Verdict == resolve.Row:
		winner = c.Versions[of.Node]
		d.digest, d.row = c.digests[of.Node], winner.Row
	}
	for i, v := range c.Versions {
		d.seen[i] = seenVersion{present: v.Present, digest: c.digests[i]}
		switch {
		case of.Verdict == resolve.Absent:
			d.seen[i].wins = !v.Present
		case d.row != nil && of.Node == resolve.Composed:
			d.seen[i].wins = v.Row.Equal(d.row)
		case d.row != nil:
			d.seen[i].wins = v.Same(winner)
		}
	}
	return d
}

// checkAbsent checks that small tables have no rows for the keys that their index did not
// find, see absent.go.
func (k *keyDecider) checkAbsent(ctx context.Context) error {
	for i, keys := range k.absent {
		if len(keys) == 0 {
			continue
		}
		if err := k.readers[i].CheckAbsent(ctx, k.plan.Resolve.Voters[i].Read, keys); err != nil {
			return err
		}
	}
	return nil
}
