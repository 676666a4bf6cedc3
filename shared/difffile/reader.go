package difffile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"ace/shared/fault"
)

// What bounds the pieces of a document, in bytes of its JSON, so that none can exhaust the memory. They are larger than any
// that a comparison writes.
const (
	// MaxValue bounds a value that is read, and the summary. A value that is only passed over may have any length.
	MaxValue = 256 << 20
	// MaxKey bounds the value of a key column. An entry of a btree index has at most 2,704 bytes; compressed 255 times, in
	// hexadecimal digits or escaped six times these are 4 MB.
	MaxKey = 8 << 20
	// MaxName bounds a name: of a member, a node, a table or a column.
	MaxName = 4 << 10
)

// Entry is one row of the document.
type Entry struct {
	Pair    Pair
	Node    string
	Columns []Column // of Row, in its order; the same slice for every entry
	Row     Row      // not reused: it may be kept
	Offset  int64    // bytes from the beginning of the document to the row
}

// Visitor is called for what a document holds besides its summary, in the document's order. Any of its functions may
// be nil; an error of one ends the reading and is returned as it is.
type Visitor struct {
	Row       func(Entry) error
	Unsettled func(pair Pair, key Row) error
	// KeyVariants is called with the keys of one row, as the first and the second node write it.
	KeyVariants func(pair Pair, keys [2]Row) error
}

// Reader reads a document from a stream, once. Its errors are Invalid and name the place (pair, node, number of the
// row from 1, column) and what is allowed there; an error of the stream itself is passed on. The number of rows is not
// compared with the summary: taking rows out is how an operator narrows a repair.
type Reader struct {
	tokens  *tokens
	peer    string // the first member of a document in the peer's layouts, already read; empty in ours
	summary Summary
	columns columns
	check   bool // rows are checked, not read
}

// Open reads up to the rows: the format and the summary.
func Open(r io.Reader) (*Reader, error) { return open(r, MaxValue) }

func open(r io.Reader, maxValue int) (*Reader, error) {
	rd := &Reader{tokens: newTokens(r, maxValue)}
	if err := rd.tokens.delim(place{}, '{'); err != nil {
		return nil, err
	}
	first, err := rd.tokens.name(place{})
	if err != nil {
		return nil, err
	}
	switch first {
	case "format":
		return rd, rd.head()
	case "diffs", "summary":
		rd.peer = first
		return rd, nil
	}
	return nil, fault.New(fault.Invalid, "this is not a diff document: it begins with %q instead of \"format\"", first)
}

// Summary gives what the document says besides the rows. Of a document in the peer's layouts it may be known only
// after Walk, and has the table, key, nodes, filter and block rows at most.
func (r *Reader) Summary() Summary { return r.summary }

// Peer says that the document has one of the peer's layouts, which know no column types.
func (r *Reader) Peer() bool { return r.peer != "" }

// Only has the rows of a document in our own format have no more than these columns, which saves the decoding of the
// others: their values are not looked at then. It is to be called before the rows are read.
func (r *Reader) Only(names []string) {
	if !r.Peer() {
		r.columns = r.columns.only(names)
	}
}

func (r *Reader) head() error {
	at := place{member: "format"}
	raw, err := r.tokens.raw(at, MaxName)
	if err != nil {
		return err
	}
	var format string
	if err := json.Unmarshal(raw, &format); err != nil {
		return at.invalid(err)
	}
	if format != Format {
		return fault.New(fault.Invalid, "the diff document has the format %.40q; only %q is known", format, Format)
	}
	at = place{member: "summary"}
	if err := r.tokens.member(at); err != nil {
		return err
	}
	if raw, err = r.tokens.raw(at, MaxValue); err != nil {
		return err
	}
	if err := noDuplicates(raw); err != nil {
		return at.invalid(err)
	}
	if err := json.Unmarshal(raw, &r.summary); err != nil {
		return at.invalid(err)
	}
	if err := r.summary.check(); err != nil {
		return at.invalid(err)
	}
	r.columns = newColumns(r.summary.Columns, r.summary.PrimaryKey)
	return r.tokens.member(place{member: "diffs"})
}

// Rows gives the rows in the document's order, and as last element the error, if any. The document is only known to
// be complete when the sequence came to its end without one.
func (r *Reader) Rows() iter.Seq2[Entry, error] {
	return sequence(func(row func(Entry) error) error { return r.Walk(row, nil) })
}

// sequence gives what walk calls row with, and its error.
func sequence(walk func(row func(Entry) error) error) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		errStop := errors.New("the caller has seen enough")
		err := walk(func(e Entry) error {
			if !yield(e, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Entry{}, err)
		}
	}
}

// Walk reads the rest of the document up to its very end and calls row for every row, then unsettled for every key of
// an unsettled row; either may be nil. An error of theirs ends the walk and is returned as it is.
func (r *Reader) Walk(row func(Entry) error, unsettled func(Pair, Row) error) error {
	return r.Visit(Visitor{Row: row, Unsettled: unsettled})
}

// Check reads the rest of the document up to its very end, and reports what is wrong with it. It takes little memory even for
// values of hundreds of megabytes.
func (r *Reader) Check() error {
	r.check = true
	return r.Visit(Visitor{})
}

// Visit reads the rest of the document up to its very end.
func (r *Reader) Visit(v Visitor) error {
	v = v.complete()
	if r.Peer() {
		return r.walkPeer(v.Row)
	}
	if err := r.diffs(v.Row); err != nil {
		return err
	}
	if err := r.bookkeeping(v); err != nil {
		return err
	}
	return r.tokens.end()
}

// complete has a function for everything.
func (v Visitor) complete() Visitor {
	if v.Row == nil {
		v.Row = func(Entry) error { return nil }
	}
	if v.Unsettled == nil {
		v.Unsettled = func(Pair, Row) error { return nil }
	}
	if v.KeyVariants == nil {
		v.KeyVariants = func(Pair, [2]Row) error { return nil }
	}
	return v
}

// Section gives the rows of an entry's pair and node from that entry on, which Visit gave. The stream begins at the
// entry's offset of the same document: so the two nodes of a pair, which follow one another, can be read side by side.
// It is for documents in our own format.
func (r *Reader) Section(stream io.Reader, from Entry) iter.Seq2[Entry, error] {
	const opening = "["
	section := newTokens(io.MultiReader(strings.NewReader(opening), stream), r.tokens.max)
	section.start = from.Offset - int64(len(opening))
	return sequence(func(row func(Entry) error) error {
		return r.rows(section, place{pair: from.Pair, node: from.Node}, row)
	})
}

func (r *Reader) diffs(row func(Entry) error) error {
	return r.pairs(place{member: "diffs"}, func(at place) error {
		return r.tokens.object(at, func(node string) error {
			at := at
			at.node = node
			if !slices.Contains(at.pair[:], node) {
				return at.invalid(errors.New("it is no node of this pair"))
			}
			return r.rows(r.tokens, at, row)
		})
	})
}

// pairs reads an object whose members are pairs of the summary.
func (r *Reader) pairs(at place, fn func(place) error) error {
	return r.tokens.object(at, func(name string) error {
		i := slices.IndexFunc(r.summary.Pairs, func(p PairSummary) bool { return p.Nodes.String() == name })
		if i < 0 {
			return at.invalid(errors.New("the summary has no pair " + name))
		}
		at := at
		at.pair = r.summary.Pairs[i].Nodes
		return fn(at)
	})
}

func (r *Reader) rows(from *tokens, at place, row func(Entry) error) error {
	return from.array(&at, func() error {
		offset := from.offset()
		values, n := r.columns.parseOurs(from.buf[from.at:from.stream.end])
		if n > 0 {
			from.at += n
			from.comma = true
		} else {
			var err error
			if values, err = r.anyRow(from, at); err != nil {
				return err
			}
		}
		return row(Entry{Pair: at.pair, Node: at.node, Columns: r.columns.list, Row: values, Offset: offset})
	})
}

// anyRow reads a row value by value: one that is not written as we do, or that is not in memory as a whole.
func (r *Reader) anyRow(from *tokens, at place) (Row, error) {
	c := r.columns
	row, n := make(Row, len(c.list)), 0
	err := from.rowObject(at, func(name string) error {
		i, ok := c.index[name]
		if !ok {
			return at.invalid(fmt.Errorf("%q: %w", name, errNoColumn))
		}
		n++
		at := at
		at.column = name
		if c.at[i] < 0 || r.check && !c.key[i] {
			return from.skip(at, c.kinds[i])
		}
		raw, err := from.raw(at, c.limit(i))
		if err == nil {
			err = from.orFailed(at, c.set(row, i, raw))
		}
		return err
	})
	if err == nil && n != len(c.kinds) {
		err = at.invalid(fmt.Errorf("it has %d of %d columns", n, len(c.kinds)))
	}
	return row, err
}
