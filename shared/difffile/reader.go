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

// Limits for the pieces of a document, in bytes of JSON, so that no document can exhaust
// the memory. They are larger than anything that a comparison writes.
const (
	// MaxValue bounds the summary and each value that is read. A string that is skipped
	// may have any length.
	MaxValue = 256 << 20
	// MaxKey bounds the value of a key column. It is larger than any value that
	// PostgreSQL can have in a key: an entry of a btree index has at most 2,704 bytes.
	// Even if the entry was compressed by a factor of 255 and its text is escaped by a
	// factor of six, the JSON has only 4 MB.
	MaxKey = 8 << 20
	// MaxName bounds the name of a member, a node, a table or a column.
	MaxName = 4 << 10
)

// Entry is one row of the document.
type Entry struct {
	Pair    Pair
	Node    string
	Columns []Column // the columns of Row, in the same order; all entries share the slice
	Row     Row      // the values; the reader does not reuse the memory
	Offset  int64    // where the row begins, in bytes from the beginning of the document
}

// Visitor has functions that are called for the content of a document after its summary,
// in the order of the document. Any of them may be nil. If one returns an error, Visit
// ends and returns that error unchanged.
type Visitor struct {
	Row       func(Entry) error
	Unsettled func(pair Pair, key Row) error
	// KeyVariants is called with the two spellings of one key: that of the first node and
	// that of the second.
	KeyVariants func(pair Pair, keys [2]Row) error
	Written     func(WrittenEntry) error
}

// Reader reads a document from a stream, once. If the document is not valid, the error is
// a fault with code Invalid. It names the position (pair, node, number of the row from 1,
// column) and what is allowed there. An error of the stream is wrapped, so that errors.Is
// finds it. The number of rows is not compared with the summary: an operator may remove
// rows from a document to restrict a repair.
type Reader struct {
	tokens  *tokens
	peer    string // if another tool wrote the document (see peer.go), the name of its first member, which was read already; otherwise empty
	summary Summary
	columns columns
	check   bool // true in a call of Check: rows are checked, but not returned
}

// Open reads the beginning of a document, up to its rows: the format and the summary.
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

// Summary returns the summary. In a document of another tool (see Peer) the summary may
// follow the rows, so it may be empty until Walk has returned. Most fields of such a
// summary are unknown: see peerSummary.
func (r *Reader) Summary() Summary { return r.summary }

// Peer reports whether the document was written by another tool (see peer.go). Such a
// document has no column types.
func (r *Reader) Peer() bool { return r.peer != "" }

// Only restricts the rows to the columns in names. The values of other columns are not
// decoded, so an invalid value in them may remain unnoticed. It has no effect on a
// document of another tool. Only must be called before the rows are read.
func (r *Reader) Only(names []string) {
	if !r.Peer() {
		r.columns = r.columns.only(names)
	}
}

// head reads the format and the summary.
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
		return fault.New(fault.Invalid, "the diff document has the format %.40q; only %q is supported", format, Format)
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

// Rows returns the rows in the order of the document. If there is an error, it is the
// last element of the sequence. The document is complete only if the sequence ends
// without an error.
func (r *Reader) Rows() iter.Seq2[Entry, error] {
	return sequence(func(row func(Entry) error) error { return r.Walk(row, nil) })
}

// sequence returns an iterator over the entries that walk passes to row. If walk returns
// an error, it is the last element.
func sequence(walk func(row func(Entry) error) error) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		errStop := errors.New("the caller has stopped")
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

// Walk reads the rest of the document. It calls row for every row, then unsettled for the
// key of every unsettled row. Either may be nil. If one returns an error, Walk ends and
// returns that error unchanged.
func (r *Reader) Walk(row func(Entry) error, unsettled func(Pair, Row) error) error {
	return r.Visit(Visitor{Row: row, Unsettled: unsettled})
}

// Check reads the rest of the document and returns an error if it is not valid. It needs
// little memory even for values of hundreds of megabytes.
func (r *Reader) Check() error {
	r.check = true
	return r.Visit(Visitor{})
}

// Visit reads the rest of the document and calls the functions of v.
func (r *Reader) Visit(v Visitor) error {
	v = v.withDefaults()
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

// withDefaults returns a Visitor without nil functions.
func (v Visitor) withDefaults() Visitor {
	if v.Row == nil {
		v.Row = func(Entry) error { return nil }
	}
	if v.Unsettled == nil {
		v.Unsettled = func(Pair, Row) error { return nil }
	}
	if v.KeyVariants == nil {
		v.KeyVariants = func(Pair, [2]Row) error { return nil }
	}
	if v.Written == nil {
		v.Written = func(WrittenEntry) error { return nil }
	}
	return v
}

// Section returns the rows of one node of one pair, beginning with the entry from. The
// stream must begin at the entry's offset in the same document. With two streams, the two
// nodes of a pair can be read at the same time. Section cannot read documents of another
// tool.
func (r *Reader) Section(stream io.Reader, from Entry) iter.Seq2[Entry, error] {
	const opening = "["
	section := newTokens(io.MultiReader(strings.NewReader(opening), stream), r.tokens.max)
	section.start = from.Offset - int64(len(opening))

	return sequence(func(row func(Entry) error) error {
		return r.rows(section, place{pair: from.Pair, node: from.Node}, row)
	})
}

// diffs reads the member "diffs".
func (r *Reader) diffs(row func(Entry) error) error {
	return r.pairs(place{member: "diffs"}, func(at place) error {
		return r.tokens.object(at, func(node string) error {
			at := at
			at.node = node
			if !slices.Contains(at.pair[:], node) {
				return at.invalid(errors.New("it is not a node of this pair"))
			}
			return r.rows(r.tokens, at, row)
		})
	})
}

// pairs reads an object whose members are named after pairs of the summary. It calls fn
// for each member, with the pair added to the place. fn must read the member's value.
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

// rows reads an array of rows from the tokens and calls row for each of them.
func (r *Reader) rows(from *tokens, at place, row func(Entry) error) error {
	return from.array(&at, func() error {
		offset := from.offset()
		if n := r.columns.parseFast(from.buf[from.at:from.stream.end], &from.values); n > 0 {
			from.at += n
			from.comma = true
		} else if err := r.anyRow(from, at); err != nil {
			return err
		}

		entry := Entry{Pair: at.pair, Node: at.node, Columns: r.columns.list, Offset: offset}
		if !r.check {
			entry.Row = from.values.row()
		}
		return row(entry)
	})
}

// anyRow reads a row value by value. It accepts columns in any order, and rows that are
// larger than the buffer.
func (r *Reader) anyRow(from *tokens, at place) error {
	if err := from.row(at); err != nil {
		return err
	}

	c := r.columns
	from.values.reset(len(c.list))
	seen := make([]bool, len(c.kinds))
	n := 0
	err := from.members(at, func(name []byte) error {
		i, ok := c.index[string(name)]
		if !ok {
			return at.invalid(fmt.Errorf("%q: %w", name, errNoColumn))
		}
		if seen[i] {
			return at.invalid(fmt.Errorf("%q: %w", name, errDuplicate))
		}
		seen[i] = true
		n++

		at := at
		at.column = c.names[i]
		if c.at[i] < 0 || r.check && !c.key[i] {
			return from.skip(at, c.kinds[i])
		}
		raw, err := from.raw(at, c.limit(i))
		if err == nil {
			err = from.check(at, c.set(&from.values, i, raw))
		}
		return err
	})

	if err == nil && n != len(c.kinds) {
		err = at.invalid(fmt.Errorf("it has %d of %d columns", n, len(c.kinds)))
	}
	return err
}
