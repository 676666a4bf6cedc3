package difffile

import (
	"encoding/json"
	"errors"
	"slices"
)

// This file reads the diff files of pgEdge ACE, called the peer here. This package never
// writes them. Older versions of the peer write
//
//	{"diffs": {"n1/n2": {"n1": [row, ...], "n2": [row, ...]}}, "summary": {...}}
//
// and newer ones
//
//	{"diffs": {"n1/n2": {"rows": {"n1": [row, ...], "n2": [row, ...]}}}, "summary": {...}}
//
// The members diffs and summary may be in either order. Such a document has no column
// types, and sometimes no key columns. The caller reads what is missing from the request
// and the catalogs. Numbers are returned as they are written. Objects and arrays are
// returned as JSON text, which can be shown but not written to a table.

// peerBookkeeping is a member that the peer adds to rows. It is not a column.
const peerBookkeeping = "_spock_metadata_"

// peerSummary has the members of the peer's summary that correspond to members of
// Summary.
type peerSummary struct {
	Schema              string   `json:"schema"`
	Table               string   `json:"table"`
	TableFilter         string   `json:"table_filter"`
	Nodes               []string `json:"nodes"`
	BlockSize           int64    `json:"block_size"`
	PrimaryKey          []string `json:"primary_key"`
	DiffRowLimitReached bool     `json:"diff_row_limit_reached"`
}

func (r *Reader) walkPeer(row func(Entry) error) error {
	seen := map[string]bool{r.peer: true}
	member := func(name string) error {
		at := place{member: name}
		switch name {
		case "diffs":
			return r.peerDiffs(at, row)
		case "summary":
			return r.readPeerSummary(at)
		}
		return at.invalid(errors.New("there is no such member"))
	}

	if err := member(r.peer); err != nil {
		return err
	}
	for r.tokens.more() {
		name, err := r.tokens.name(place{})
		if err != nil {
			return err
		}
		if seen[name] {
			return place{member: name}.invalid(errDuplicate)
		}
		seen[name] = true
		if err := member(name); err != nil {
			return err
		}
	}

	if _, err := r.tokens.peek(); err != nil {
		return r.tokens.fail(place{}, err)
	}
	if !seen["diffs"] {
		return place{}.invalid(errors.New(`"diffs" is missing`))
	}
	return r.tokens.end()
}

func (r *Reader) readPeerSummary(at place) error {
	raw, err := r.tokens.raw(at, MaxValue)
	if err != nil {
		return err
	}
	if err := noDuplicates(raw); err != nil {
		return at.invalid(err)
	}
	var p peerSummary
	if err := json.Unmarshal(raw, &p); err != nil {
		return at.invalid(err)
	}

	r.summary.Schema = p.Schema
	r.summary.Table = p.Table
	r.summary.TableFilter = p.TableFilter
	r.summary.Nodes = p.Nodes
	r.summary.PrimaryKey = p.PrimaryKey
	r.summary.BlockRows = p.BlockSize
	r.summary.DiffRowLimitReached = p.DiffRowLimitReached
	if err := r.summary.checkNames(); err != nil {
		return at.invalid(err)
	}
	return nil
}

func (r *Reader) peerDiffs(at place, row func(Entry) error) error {
	return r.tokens.object(at, func(name string) error {
		at := at
		var err error
		if at.pair, err = parsePair(name); err != nil {
			return at.invalid(err)
		}
		return r.peerNodes(at, true, row)
	})
}

// peerNodes reads the object of a pair. Its members are named after the nodes. In newer
// documents, the object instead has a member "rows", which is an object with these
// members. outer is true for the object of the pair, and false for the object "rows" in
// it.
func (r *Reader) peerNodes(at place, outer bool, row func(Entry) error) error {
	return r.tokens.object(at, func(name string) error {
		at := at
		if slices.Contains(at.pair[:], name) {
			at.node = name
			return r.peerRows(at, row)
		}
		if outer && name == "rows" {
			return r.peerNodes(at, false, row)
		}
		at.node = name
		return at.invalid(errors.New("it is not a node of this pair"))
	})
}

func (r *Reader) peerRows(at place, row func(Entry) error) error {
	return r.tokens.array(&at, func() error {
		values, err := r.peerRow(at)
		if err != nil {
			return err
		}
		return row(Entry{Pair: at.pair, Node: at.node, Columns: r.columns.list, Row: values})
	})
}

// peerRow reads a row. The first row defines the columns of all rows.
func (r *Reader) peerRow(at place) (Row, error) {
	names, values, err := r.peerValues(at)
	if err != nil {
		return nil, err
	}
	if r.columns.list == nil {
		r.columns = newColumns(names, nil)
	}

	if len(names) != len(r.columns.list) {
		return nil, at.invalid(errOtherColumns)
	}
	row := make(Row, len(names))
	for i, name := range names {
		column, ok := r.columns.index[name.Name]
		if !ok {
			return nil, at.invalid(errOtherColumns)
		}
		row[column] = values[i]
	}
	return row, nil
}

var errOtherColumns = errors.New("its columns differ from those of the first row")

// peerValues reads a row and returns its columns and values.
func (r *Reader) peerValues(at place) (names []Column, values Row, err error) {
	if err := r.tokens.row(at); err != nil {
		return nil, nil, err
	}

	names = []Column{}
	err = r.tokens.object(at, func(name string) error {
		at := at
		at.column = name
		if r.check || name == peerBookkeeping {
			if name != peerBookkeeping {
				names, values = append(names, Column{Name: name}), append(values, nil)
			}
			return r.tokens.skip(at, untyped)
		}

		limit := MaxValue
		if slices.Contains(r.summary.PrimaryKey, name) {
			limit = MaxKey
		}
		raw, err := r.tokens.raw(at, limit)
		if err != nil {
			return err
		}
		s, err := parseValue(untyped, raw)
		names, values = append(names, Column{Name: name}), append(values, s)
		return r.tokens.check(at, err)
	})
	return names, values, err
}
