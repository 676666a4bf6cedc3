package tablerepair

import (
	"context"
	"crypto/sha256"
	"slices"
	"strconv"

	"ace/shared/diffarchive"
	"ace/shared/difffile"
	"ace/shared/fault"
)

// holding is what the diff document states about a node that is not the target: whether
// this node has rows that the repair of the target may insert.
type holding int

const (
	unknownRows holding = iota // the document does not compare the node
	lacksRows                  // the node lacks all of these rows
	hasRows                    // the node has some of these rows
)

// maxHeldKeys bounds the keys that holdings stores in memory. If the document has more
// keys, every node counts as having rows that the repair may insert.
const maxHeldKeys = 2_000_000

// holdings returns, for each of the nodes, whether it has rows that the repair of target
// may insert.
func (r *run) holdings(ctx context.Context, target string, nodes []string) (holds map[string]holding, err error) {
	err = r.req.Patience.Do(ctx, "reading the diff document", func() error {
		doc, err := diffarchive.Open(ctx, r.store, r.req.Input)
		if err != nil {
			return err
		}
		defer doc.Close()
		if holds, err = readHoldings(doc.Reader, r.plan, target, nodes); err != nil {
			return err
		}
		return doc.Verify()
	})
	return holds, err
}

// These bits state where a row of the document exists: on the source, on the other node
// of the pair, or on both.
const (
	onSource = 1 << iota
	onOther
)

// readHoldings does the work of holdings. If the document's pair of source and node does
// not list a row of the source, the node has the same row.
func readHoldings(doc *difffile.Reader, p *Plan, target string, nodes []string) (map[string]holding, error) {
	doc.Only(p.Key)
	keys := 0
	documented := map[string]bool{}
	rows := map[string]map[[16]byte]int{target: {}} // for each node: digest of a key -> onSource, onOther, or both
	for _, name := range nodes {
		rows[name] = map[[16]byte]int{}
	}
	err := doc.Walk(func(e difffile.Entry) error {
		documented[e.Pair[0]], documented[e.Pair[1]] = true, true
		other := e.Pair[0]
		if other == p.Source {
			other = e.Pair[1]
		}
		of, ok := rows[other]
		if !ok || !slices.Contains(e.Pair[:], p.Source) || keys > maxHeldKeys {
			return nil
		}
		id, err := keyDigest(e, p.Key)
		if err != nil {
			return err
		}
		where := onOther
		if e.Node == p.Source {
			where = onSource
		}
		of[id] |= where
		keys++
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range doc.Summary().Nodes {
		documented[name] = true
	}

	holds := map[string]holding{}
	for _, name := range nodes {
		if !documented[name] {
			continue
		}
		holds[name] = lacksRows
		if keys > maxHeldKeys {
			holds[name] = hasRows
		}
		for id, where := range rows[target] {
			if where == onSource && rows[name][id] != onSource {
				holds[name] = hasRows
			}
		}
	}
	return holds, nil
}

// keyDigest returns a digest of the key of a row.
func keyDigest(e difffile.Entry, key []string) (id [16]byte, err error) {
	var text []byte
	for _, name := range key {
		at := slices.IndexFunc(e.Columns, func(c difffile.Column) bool { return c.Name == name })
		if at < 0 || e.Row[at] == nil {
			return id, fault.New(fault.Invalid, "a row of the diff document has no value of the key column %q", name)
		}
		text = strconv.AppendQuote(text, *e.Row[at])
	}
	sum := sha256.Sum256(text)
	copy(id[:], sum[:])
	return id, nil
}
