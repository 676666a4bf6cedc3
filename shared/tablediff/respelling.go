package tablediff

import (
	"context"

	"ace/shared/fault"
	"ace/shared/table"
)

// Where ranges are of the key's text, two spellings of one key (A and a as citext) are two candidates that find the same
// rows. The one spelt as on the first node that has a row stands for both.

// respelling is a candidate that was left to the one of another spelling.
type respelling struct {
	own, first table.Key
	digest     []*int64 // per node, of the rows found by its own spelling
}

// isRespelt says whether a key is spelt otherwise than on the first node that has its row, and remembers it to be checked.
func (c *confirmation) isRespelt(key table.Key, rows []table.Row, digest []*int64) bool {
	if !c.job.plan.ByText {
		return false
	}
	for _, row := range rows {
		if row == nil {
			continue
		}
		first := c.job.plan.keyOf(row)
		if first.Equal(key) {
			return false
		}
		c.respelt = append(c.respelt, respelling{own: key, first: first, digest: digest})
		return true
	}
	return false
}

// keyOf gives the key of a row.
func (p *Plan) keyOf(row table.Row) table.Key {
	key := make(table.Key, 0, len(p.Key))
	for _, at := range p.keyColumns() {
		key = append(key, *row[at])
	}
	return key
}

// checkRespelt makes sure, in the snapshots the rows were read in, that the first node's spelling finds the same rows. It
// does not where the nodes disagree about which keys are equal (É and é as citext, in databases of different
// locales): then a row would be left out that nobody else reports.
func (c *confirmation) checkRespelt(ctx context.Context, txs []Tx) error {
	respelt := c.respelt
	c.respelt = nil
	if len(respelt) == 0 {
		return nil
	}
	keys := make([]table.Key, len(respelt))
	for i, r := range respelt {
		keys[i] = r.first
	}
	return c.job.onAll(ctx, func(ctx context.Context, node int) error {
		found, err := txs[node].Digests(ctx, c.job.plan.Sources[node], keys)
		if err != nil {
			return err
		}
		for i, r := range respelt {
			if !sameDigest(found[i], r.digest[node]) {
				return fault.New(fault.Invalid, "keys %s and %s are equal on one node but not on node %q: rows cannot be matched under these collations",
					r.first, r.own, c.job.plan.Nodes[node])
			}
		}
		return nil
	})
}
