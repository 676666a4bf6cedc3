package difffile

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"

	"ace/shared/fault"
)

// MaxValue bounds the bytes read for one row, key or summary, so that a document cannot exhaust the memory. Reading
// ahead counts: what is allowed for certain is half of it.
const MaxValue = 256 << 20

// Entry is one row of the document.
type Entry struct {
	Pair    Pair
	Node    string
	Columns []Column // of Row, in its order; the same slice for every entry
	Row     Row      // not reused: it may be kept
}

// Reader reads a document from a stream, once. Its errors are Invalid and name the place (pair, node, number of the
// row from 1, column) and what is allowed there; an error of the stream itself is passed on. The number of rows is not
// compared with the summary: taking rows out is how an operator narrows a repair.
type Reader struct {
	tokens  tokens
	peer    string // the first member of a document in the peer's layouts, already read; empty in ours
	summary Summary
	columns columns
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
	var format string
	if err := r.tokens.value(place{member: "format"}, &format); err != nil {
		return err
	}
	if format != Format {
		return fault.New(fault.Invalid, "the diff document has the format %.40q; only %q is known", format, Format)
	}
	at := place{member: "summary"}
	if err := r.tokens.member(at); err != nil {
		return err
	}
	raw, err := r.tokens.raw(at)
	if err != nil {
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
	r.columns = newColumns(r.summary.Columns)
	return r.tokens.member(place{member: "diffs"})
}

// Rows gives the rows in the document's order, and as last element the error, if any. The document is only known to
// be complete when the sequence came to its end without one.
func (r *Reader) Rows() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		errStop := errors.New("the caller has seen enough")
		err := r.Walk(func(e Entry) error {
			if !yield(e, nil) {
				return errStop
			}
			return nil
		}, nil)
		if err != nil && !errors.Is(err, errStop) {
			yield(Entry{}, err)
		}
	}
}

// Walk reads the rest of the document up to its very end and calls row for every row, then unsettled for every key of
// an unsettled row; either may be nil. An error of theirs ends the walk and is returned as it is.
func (r *Reader) Walk(row func(Entry) error, unsettled func(Pair, Row) error) error {
	if row == nil {
		row = func(Entry) error { return nil }
	}
	if unsettled == nil {
		unsettled = func(Pair, Row) error { return nil }
	}
	if r.Peer() {
		return r.walkPeer(row)
	}
	if err := r.diffs(row); err != nil {
		return err
	}
	if r.tokens.more() {
		at := place{member: "unsettled"}
		if err := r.tokens.member(at); err != nil {
			return err
		}
		if err := r.unsettled(unsettled); err != nil {
			return err
		}
	}
	return r.tokens.end()
}

func (r *Reader) diffs(row func(Entry) error) error {
	return r.pairs(place{member: "diffs"}, func(at place) error {
		return r.tokens.object(at, func(node string) error {
			at := at
			at.node = node
			if !slices.Contains(at.pair[:], node) {
				return at.invalid(errors.New("it is no node of this pair"))
			}
			return r.rows(at, row)
		})
	})
}

func (r *Reader) unsettled(key func(Pair, Row) error) error {
	return r.pairs(place{member: "unsettled"}, func(at place) error {
		return r.tokens.array(&at, func(raw []byte) error {
			values, err := r.key(raw)
			if err != nil {
				return at.invalid(err)
			}
			return key(at.pair, values)
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

func (r *Reader) rows(at place, row func(Entry) error) error {
	return r.tokens.array(&at, func(raw []byte) error {
		values, err := r.columns.parse(raw)
		if err != nil {
			return at.invalid(err)
		}
		return row(Entry{Pair: at.pair, Node: at.node, Columns: r.columns.list, Row: values})
	})
}

// key reads a key: an array of strings, one per column of the primary key.
func (r *Reader) key(raw []byte) (Row, error) {
	var key Row
	err := eachElement(raw, func(value []byte) error {
		s, err := parseValue(text, value)
		if err == nil && s == nil {
			err = errors.New("a key column is null")
		}
		key = append(key, s)
		return err
	})
	if err == nil && len(key) != len(r.summary.PrimaryKey) {
		err = errors.New("it must have one value per column of the primary key")
	}
	return key, err
}
