package difffile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
)

// memberWritten is the last member of a document. It has, for each pair and each node
// that records commit times, one element for each row of the pair's rows in "diffs", in
// the same order: [key, time, origin]. An unknown time and the origin of a local
// transaction are omitted.
const memberWritten = "written"

// LastWrite is the transaction that was the last to write a row on one node.
type LastWrite struct {
	Key    Row    // the key, as the row spells it
	At     string // the time of the commit, such as 2026-11-29T02:00:01.123456Z; "" if the node does not know it
	Origin string // the name of the replication origin; "" for a transaction of the node itself
}

// WrittenEntry is one element of the member "written".
type WrittenEntry struct {
	Pair   Pair
	Node   string
	Write  LastWrite
	Offset int64 // where the element begins, in bytes from the beginning of the document
}

// written writes the member "written".
func (d *documentWriter) written(ctx context.Context, src Source) error {
	if len(d.summary.CommitTimes) == 0 {
		return nil
	}
	before, after := fmt.Sprintf(",\n%q:{", memberWritten), ""
	for _, p := range d.summary.Pairs {
		opening := "{"
		for _, node := range p.Nodes {
			if !p.differs() || !slices.Contains(d.summary.CommitTimes, node) {
				continue
			}
			if opening == "{" {
				d.label(before, p.Nodes.String())
				before, after = ",", "\n}"
			}
			d.label(opening, node)
			opening = ","
			if err := d.writtenOn(ctx, src, p.Nodes, node); err != nil {
				return fmt.Errorf("difffile: pair %s, node %s, %s: %w", p.Nodes, node, memberWritten, err)
			}
		}
		if opening == "," {
			d.print("}")
		}
	}
	d.print(after)
	return nil
}

// writtenOn writes the elements of one node of a pair.
func (d *documentWriter) writtenOn(ctx context.Context, src Source, pair Pair, node string) error {
	d.print("[")
	var line []byte
	n := 0
	for write, err := range src.Written(ctx, pair, node) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			line, err = d.appendWrite(line[:0], write)
		}
		if err == nil {
			err = d.row(line, n == 0)
		}
		if err != nil {
			return err
		}
		n++
	}
	d.print("]")
	return nil
}

func (d *documentWriter) appendWrite(line []byte, w LastWrite) ([]byte, error) {
	line, err := d.appendKey(append(line, '['), w.Key)
	if err == nil && w.At != "" {
		line, err = appendString(append(line, ','), w.At)
	}
	if err == nil && w.At != "" && w.Origin != "" {
		line, err = appendString(append(line, ','), w.Origin)
	}
	return append(line, ']'), err
}

// written reads the rest of the member "written": its value.
func (r *Reader) written(fn func(WrittenEntry) error) error {
	return r.pairs(place{member: memberWritten}, func(at place) error {
		return r.tokens.object(at, func(node string) error {
			at := at
			at.node = node
			if !slices.Contains(at.pair[:], node) {
				return at.invalid(errors.New("it is not a node of this pair"))
			}
			return r.writes(r.tokens, at, fn)
		})
	})
}

// writes reads an array of elements from the tokens and calls fn for each of them.
func (r *Reader) writes(from *tokens, at place, fn func(WrittenEntry) error) error {
	return from.array(&at, func() error {
		offset := from.offset()
		raw, err := from.raw(at, 2*MaxKey)
		if err != nil {
			return err
		}
		write, err := r.lastWrite(raw)
		if err != nil {
			return at.invalid(err)
		}
		return fn(WrittenEntry{Pair: at.pair, Node: at.node, Write: write, Offset: offset})
	})
}

// lastWrite decodes an element: a key, a time and an origin. The last two may be absent.
func (r *Reader) lastWrite(raw []byte) (w LastWrite, err error) {
	n := 0
	fields := []*string{nil, &w.At, &w.Origin}
	err = eachElement(raw, func(value []byte) error {
		n++
		switch {
		case n > len(fields):
			return errors.New("it must have a key, and at most a time and an origin")
		case n == 1:
			w.Key, err = r.key(value)
			return err
		case value[0] != '"' || len(value) > MaxName:
			return fmt.Errorf("the time and the origin must be strings of at most %d bytes", MaxName)
		}
		text, err := unquote(value)
		*fields[n-1] = text
		return err
	})
	if err == nil && n == 0 {
		err = errors.New("it must have a key")
	}
	return w, err
}

// WrittenSection returns the elements of the member "written" for one node of one pair,
// beginning with the entry from. The stream must begin at the entry's offset in the same
// document.
func (r *Reader) WrittenSection(stream io.Reader, from WrittenEntry) iter.Seq2[LastWrite, error] {
	const opening = "["
	section := newTokens(io.MultiReader(strings.NewReader(opening), stream), r.tokens.max)
	section.start = from.Offset - int64(len(opening))

	return func(yield func(LastWrite, error) bool) {
		errStop := errors.New("the caller has stopped")
		err := r.writes(section, place{member: memberWritten, pair: from.Pair, node: from.Node}, func(e WrittenEntry) error {
			if !yield(e.Write, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(LastWrite{}, err)
		}
	}
}
