package worker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// If key ranges are ranges of the key's text, two spellings of one key (A and a as
// citext) can both be candidates, and a look-up of either spelling finds the same rows.
// Only one of the two candidates is reported. To choose it, the rows of the nodes are
// checked in the order of the nodes: the first row whose spelling is a candidate
// determines the candidate. The spelling in a row need not be a candidate: table_filter
// may exclude the row, or the row may have been inserted after the first pass.

// keyVariant describes a candidate whose key is spelt differently in the row of some
// node. own is the spelling of the candidate, and other the spelling in that row.
type keyVariant struct {
	own, other table.Key
	digest     []*int64 // for each node: the digest of the row that is found by looking up the key own; nil if there is none
}

// findVariants finds the candidates that are other spellings of the keys in portion, and
// records their texts in c.candidateTexts. It looks up a key only if some node has not
// listed the key in this spelling. If every node has listed it in this spelling, the key
// has no other spelling. It uses the snapshots in which the rows will be read.
func (c *confirmation) findVariants(ctx context.Context, txs []plan.Tx, portion []indexed) error {
	if !c.run.plan.HasKeyVariants() {
		return nil
	}

	c.candidateTexts = map[string]bool{}
	partial := slices.DeleteFunc(slices.Clone(portion), func(i indexed) bool { return !slices.Contains(i.Digest, nil) })
	others, err := c.otherSpellings(ctx, txs, keysOf(partial))
	if err != nil || len(others) == 0 {
		return err
	}

	for index := 0; ; index++ { // another spelling may be in any part
		err := c.candidatesOf(ctx, index, 0, func(candidates []indexed) error {
			for _, candidate := range candidates {
				if text := textOf(candidate.Key); others[text] {
					c.candidateTexts[text] = true
				}
			}
			return nil
		})
		if errors.Is(err, archive.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// otherSpellings looks up the keys on every node. It returns the set of the spellings
// that the found rows have, without the spelling with which the row was looked up. The
// elements of the set are texts as textOf returns them.
func (c *confirmation) otherSpellings(ctx context.Context, txs []plan.Tx, keys []table.Key) (map[string]bool, error) {
	perNode := make([]map[string]bool, len(txs))
	err := c.run.onAll(ctx, func(ctx context.Context, node int) (err error) {
		source := c.run.plan.Sources[node]
		source.Columns, source.Digest = source.Key, "0"
		perNode[node], err = spellings(ctx, txs[node], source, keys)
		return err
	})

	others := map[string]bool{}
	for _, texts := range perNode {
		maps.Copy(others, texts)
	}

	return others, err
}

// spellings does what otherSpellings does, for one node.
func spellings(ctx context.Context, tx plan.Tx, keyOnly table.Source, keys []table.Key) (map[string]bool, error) {
	others := map[string]bool{}
	if len(keys) == 0 {
		return others, nil
	}

	stream, err := tx.Rows(ctx, keyOnly, keys)
	if err != nil {
		return nil, err
	}
	defer stream.Close() //nolint:errcheck // read to its end below, or given up with an error

	for {
		place, row, err := stream.Next()
		if err != nil || place < 0 {
			return others, err
		}
		if key := cloneKey(row.Row); !key.Equal(keys[place]) {
			others[textOf(key)] = true
		}
	}
}

// isVariant reports whether another spelling of the key is reported instead of key. The
// reported spelling is found by checking the rows in the order of the nodes: the first
// row whose spelling is a candidate determines it. It records the other spellings that it
// finds for checkVariants.
func (c *confirmation) isVariant(key table.Key, rows []table.Row, digest []*int64) bool {
	if !c.run.plan.HasKeyVariants() {
		return false
	}

	for _, row := range rows {
		if row == nil {
			continue
		}

		other := keyInRow(c.run.plan, row)
		if other.Equal(key) {
			return false
		}

		c.variants = append(c.variants, keyVariant{own: key, other: other, digest: copyDigests(digest)})
		if c.candidateTexts[textOf(other)] {
			return true
		}
	}

	return false
}

// copyDigests returns a copy that does not share memory with digest.
func copyDigests(digest []*int64) []*int64 {
	out := make([]*int64, len(digest))
	for node, x := range digest {
		if x != nil {
			stays := *x
			out[node] = &stays
		}
	}
	return out
}

// reportedKey returns the key to report. A rerun reports the text of the first node's
// row, since the document may come from another tool that writes values differently.
func (c *confirmation) reportedKey(key table.Key, rows []table.Row) table.Key {
	if c.run.plan.Strategy != plan.Keys {
		return key
	}

	for _, row := range rows {
		switch {
		case row == nil:
		case c.rowHasKey(row, key):
			return key
		default:
			return keyInRow(c.run.plan, row)
		}
	}

	return key
}

// rowHasKey reports whether the key of a row is spelt exactly like key.
func (c *confirmation) rowHasKey(row table.Row, key table.Key) bool {
	for i, at := range c.keyAt {
		if *row[at] != key[i] {
			return false
		}
	}
	return true
}

// keyInRow returns the key of a row.
func keyInRow(p *plan.Plan, row table.Row) table.Key {
	key := make(table.Row, 0, len(p.Key))
	for _, at := range p.KeyColumns() {
		key = append(key, row[at])
	}
	return cloneKey(key)
}

// cloneKey returns a key of column values, which are never NULL. It does not share memory
// with the row.
func cloneKey(columns table.Row) table.Key {
	key := make(table.Key, len(columns))
	for i, value := range columns {
		key[i] = strings.Clone(*value)
	}
	return key
}

// textOf joins the values of a key. Different keys have different results, since no text
// of PostgreSQL contains NUL.
func textOf(key table.Key) string { return strings.Join(key, "\x00") }

// checkVariants verifies, in the snapshots in which the rows were read, that a look-up of
// each other spelling finds the same rows as a look-up of the candidate's own spelling.
// If the nodes disagree about which keys are equal (É and é as citext, in databases with
// different locales), the spellings find different rows. Then a row might not be reported
// by any candidate.
func (c *confirmation) checkVariants(ctx context.Context, txs []plan.Tx) error {
	respelt := c.variants
	c.variants = nil
	if len(respelt) == 0 {
		return nil
	}

	keys := make([]table.Key, len(respelt))
	for i, r := range respelt {
		keys[i] = r.other
	}

	return c.run.onAll(ctx, func(ctx context.Context, node int) error {
		found, err := txs[node].Digests(ctx, c.run.plan.Sources[node], keys)
		if err != nil {
			return err
		}

		for i, r := range respelt {
			if !sameDigest(found[i], r.digest[node]) {
				return fault.New(fault.Invalid, "keys %s and %s are equal on one node but not on node %q: rows cannot be matched under these collations",
					r.other, r.own, c.run.plan.Nodes[node])
			}
		}
		return nil
	})
}
