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

// Source provides the content of a document, one section at a time. A section is the rows
// of one node of one pair. A document lists its sections one after the other, while a
// comparison finds differences key by key for all nodes together. Therefore the writer
// requests each section separately, and the source reads its parts once per section.
// Neither the writer nor the source holds all rows in memory. A sequence ends with its
// first error.
type Source interface {
	// Rows returns the rows of one node of one pair, in key order, encoded by an Encoder of
	// the summary's columns.
	Rows(ctx context.Context, pair Pair, node string) iter.Seq2[Encoded, error]
	// Unsettled returns the keys of the pair's unsettled rows, as texts in the order of
	// the key columns.
	Unsettled(ctx context.Context, pair Pair) iter.Seq2[Row, error]
	// KeyVariants returns, in key order, the keys of the pair's rows whose key has one
	// text on the first node and another on the second. Each element has both, in the
	// order of the pair's nodes.
	KeyVariants(ctx context.Context, pair Pair) iter.Seq2[[2]Row, error]
	// Written returns the last write of each row that Rows returns, in the same order. It is
	// called only for the nodes in the summary's CommitTimes.
	Written(ctx context.Context, pair Pair, node string) iter.Seq2[LastWrite, error]
}

// Written describes the bytes of a written document.
type Written struct {
	Size   int64
	SHA256 string // SHA-256 of the document, hexadecimal
}

// Write writes the document to w. It requests from src only the pairs, unsettled keys and
// key variants that exist according to the summary. It returns an error if a section does
// not have the number of rows that the summary counts. Fewer rows are allowed only if
// DiffRowLimitReached is set. After an error the document in w is not valid, and the
// caller must not publish it.
func Write(ctx context.Context, w io.Writer, s Summary, src Source) (Written, error) {
	if err := s.check(); err != nil {
		return Written{}, fmt.Errorf("difffile: summary: %w", err)
	}
	head, err := s.encode()
	if err != nil {
		return Written{}, fmt.Errorf("difffile: summary: %w", err)
	}

	counted := &counter{w: w, sha: sha256.New()}
	d := &documentWriter{out: bufio.NewWriterSize(counted, 64<<10), summary: s}
	d.print(`{"format":"`, Format, "\",\n\"summary\":", string(head), ",\n\"diffs\":{")
	if err := d.diffs(ctx, src); err != nil {
		return Written{}, err
	}
	d.print("\n}")
	if err := d.bookkeeping(ctx, src); err != nil {
		return Written{}, err
	}
	if err := d.written(ctx, src); err != nil {
		return Written{}, err
	}
	d.print("}\n")
	if err := d.out.Flush(); err != nil {
		return Written{}, fmt.Errorf("difffile: %w", err)
	}
	return Written{Size: counted.n, SHA256: hex.EncodeToString(counted.sha.Sum(nil))}, nil
}

// documentWriter writes one document. out returns its first error from every later write.
type documentWriter struct {
	out     *bufio.Writer
	summary Summary
}

func (d *documentWriter) print(parts ...string) {
	for _, p := range parts {
		_, _ = d.out.WriteString(p) // the next row or Flush returns the error
	}
}

// label begins a line with the name of a node or pair and a colon. before is written at
// the end of the previous line, such as a comma. The name is valid UTF-8, since the
// summary was checked.
func (d *documentWriter) label(before, name string) {
	quoted, _ := appendString(nil, name)
	d.print(before, "\n", string(quoted), ":")
}

func (d *documentWriter) diffs(ctx context.Context, src Source) error {
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

// section writes the rows of one node of one pair, one per line.
func (d *documentWriter) section(ctx context.Context, src Source, p PairSummary, node string) error {
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
		return fmt.Errorf("difffile: pair %s, node %s: the source returned %d rows, the summary counts %d", p.Nodes, node, n, want)
	}
	return nil
}

func (d *documentWriter) row(row Encoded, first bool) error {
	if !first {
		d.print(",")
	}
	d.print("\n")
	_, err := d.out.Write(row)
	return err
}

// counter forwards bytes to w, counts them and computes their SHA-256.
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
