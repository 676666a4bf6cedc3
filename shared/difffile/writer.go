package difffile

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"iter"
)

// Source gives the rows of a document, one section at a time. The summary stands first in a document and sections
// follow one another, while differences come to light key by key and for all nodes together: so the writer asks, and
// the source goes over its parts once per section, instead of anybody holding the rows. A sequence ends with its
// first error.
type Source interface {
	// Rows gives the rows of one node of one pair, in key order, as an Encoder of the summary's columns wrote them.
	Rows(ctx context.Context, pair Pair, node string) iter.Seq2[Encoded, error]
	// Unsettled gives the keys of the pair's unsettled rows, as text in the order of the primary key's columns.
	Unsettled(ctx context.Context, pair Pair) iter.Seq2[Row, error]
	// KeyVariants returns, in key order, the keys of the pair's rows whose key has one text on the
	// first node and another on the second. Each element has both, in the order of the pair's nodes.
	KeyVariants(ctx context.Context, pair Pair) iter.Seq2[[2]Row, error]
}

// Written describes the bytes of a document.
type Written struct {
	Size   int64
	SHA256 string // hexadecimal
}

// Write writes the document to w. Pairs without differences are not asked for, nor are unsettled keys and key variants if the
// summary counts none. A section whose number of rows is not the one the summary counts is an error, fewer are right only if
// the limit was reached. After any error what w got is not a document and must not be published.
func Write(ctx context.Context, w io.Writer, s Summary, src Source) (Written, error) {
	if err := s.check(); err != nil {
		return Written{}, fmt.Errorf("difffile: summary: %w", err)
	}
	head, err := s.encode()
	if err != nil {
		return Written{}, fmt.Errorf("difffile: summary: %w", err)
	}
	counted := &counter{w: w, sha: sha256.New()}
	d := &document{out: bufio.NewWriterSize(counted, 64<<10), summary: s}
	d.print(`{"format":"`, Format, "\",\n\"summary\":", string(head), ",\n\"diffs\":{")
	if err := d.diffs(ctx, src); err != nil {
		return Written{}, err
	}
	d.print("\n}")
	if err := d.bookkeeping(ctx, src); err != nil {
		return Written{}, err
	}
	d.print("}\n")
	if err := d.out.Flush(); err != nil {
		return Written{}, fmt.Errorf("difffile: %w", err)
	}
	return Written{Size: counted.n, SHA256: hex.EncodeToString(counted.sha.Sum(nil))}, nil
}

// document is the state of one Write. Its output remembers the first error and gives it with every later write.
type document struct {
	out     *bufio.Writer
	summary Summary
}

func (d *document) print(parts ...string) {
	for _, p := range parts {
		_, _ = d.out.WriteString(p) // the error comes back from the next row or from Flush
	}
}

// label begins a line with the name of a member: of a node or a pair, which the summary's check found to be UTF-8.
func (d *document) label(before, name string) {
	quoted, _ := appendString(nil, name)
	d.print(before, "\n", string(quoted), ":")
}

func (d *document) diffs(ctx context.Context, src Source) error {
	comma := ""
	for _, p := range d.summary.Pairs {
		if !p.differs() {
			continue
		}
		d.label(comma, p.Nodes.String())
		d.print("{")
		if err := d.section(ctx, src, p, p.Nodes[0]); err != nil {
			return err
		}
		d.print(",")
		if err := d.section(ctx, src, p, p.Nodes[1]); err != nil {
			return err
		}
		d.print("}")
		comma = ","
	}
	return nil
}

// section writes the rows of one node of one pair, a row a line.
func (d *document) section(ctx context.Context, src Source, p PairSummary, node string) error {
	d.label("", node)
	d.print("[")
	var n int64
	for row, err := range src.Rows(ctx, p.Nodes, node) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = d.row(row, n == 0)
		}
		if err != nil {
			return fmt.Errorf("difffile: pair %s, node %s, row %d: %w", p.Nodes, node, n+1, err)
		}
		n++
	}
	d.print("]")
	if want := p.rowsOn(node); n > want || n < want && !d.summary.DiffRowLimitReached {
		return fmt.Errorf("difffile: pair %s, node %s: %d rows were given, the summary counts %d", p.Nodes, node, n, want)
	}
	return nil
}

func (d *document) row(row Encoded, first bool) error {
	if !first {
		d.print(",")
	}
	d.print("\n")
	_, err := d.out.Write(row)
	return err
}

// counter passes bytes on and describes what passed.
type counter struct {
	w   io.Writer
	sha hash.Hash
	n   int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	c.sha.Write(p[:n])
	return n, err
}
