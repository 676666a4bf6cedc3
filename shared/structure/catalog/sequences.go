package catalog

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"ace/shared/rawtext"
	"ace/shared/table"
)

// SequenceState is the state of a sequence, and of the columns that it serves. A
// sequence serves the column that owns it and the columns whose defaults use it.
// LastValue may be newer than the snapshot of the transaction, because sequences are not
// transactional.
type SequenceState struct {
	Schema, Name string
	LastValue    *int64 // nil if it could not be read
	IsCalled     bool   // whether nextval has returned LastValue; otherwise LastValue is the next value
	Unknown      string // why LastValue could not be read; "" if it could
	Derived      bool   // whether the default of a column passes the sequence to a function other than PostgreSQL's nextval
	Columns      []ServedColumn
}

// ServedColumn is a column that a sequence serves.
type ServedColumn struct {
	Schema, Table, Name string
	Furthest            *int64 // the largest value, or the smallest for a descending sequence; nil if the column has no value or Unknown is set
	Unknown             string // why Furthest was not read; "" if it was
	Denied              bool   // whether Unknown is set because of the role: it lacks a privilege, or row security hides rows from it
	only                bool   // whether the table is read without the tables that inherit from it
}

// maxProbes is the maximum number of values, of sequences and columns, that one statement
// reads.
const maxProbes = 200

// readSequences returns the states of the sequences. The values of the columns are those
// in the transaction's snapshot. The values of the sequences are read later and are at
// least as new. So a sequence that is always ahead of its column is ahead in the result,
// too.
func readSequences(ctx context.Context, node Querier, schemas []byte) ([]SequenceState, error) {
	var r sequenceReader
	err := node.Query(ctx, "reading sequences", []string{scope + expand(probesSQL)}, [][]byte{schemas}, func(_ int, v [][]byte) error {
		r.addProbe(v)
		return nil
	})
	if err != nil {
		return nil, err
	}

	statements := r.statements()
	if len(statements) == 0 {
		return r.states, nil
	}
	err = node.Query(ctx, "reading the values of sequences", statements, nil, func(_ int, v [][]byte) error { return r.addValue(v) })
	return r.states, err
}

// sequenceReader is the state of one call of readSequences.
type sequenceReader struct {
	states     []SequenceState
	descending []bool // whether the increment is negative, by the index of the sequence in states
}

func (r *sequenceReader) addProbe(v [][]byte) {
	schema, name := rawtext.Text(v[0]), rawtext.Text(v[1])
	last := len(r.states) - 1
	if last < 0 || r.states[last].Schema != schema || r.states[last].Name != name {
		r.states = append(r.states, SequenceState{Schema: schema, Name: name, Unknown: string(v[6])})
		r.descending = append(r.descending, string(v[5]) != "t")
		last++
	}

	if string(v[9]) == "t" {
		r.states[last].Derived = true
	}
	if v[4] != nil {
		excluded, denied := string(v[7]), string(v[8])
		r.states[last].Columns = append(r.states[last].Columns, ServedColumn{
			Schema: rawtext.Text(v[2]), Table: rawtext.Text(v[3]), Name: rawtext.Text(v[4]), only: string(v[10]) == "t",
			Unknown: cmp.Or(excluded, denied), Denied: excluded == "" && denied != "",
		})
	}
}

// statements returns the statements that read the values of all sequences and columns
// whose Unknown is "". A result row is about a column or about a sequence itself. The row
// of a column has four values: the index of the sequence in states, the index of the
// column in Columns, Furthest, and false. The row of a sequence has the index of the
// sequence, -1, last_value and is_called.
func (r *sequenceReader) statements() []string {
	var selects []string
	for i, s := range r.states {
		for j, column := range s.Columns {
			if column.Unknown == "" {
				only := ""
				if column.only {
					only = "ONLY "
				}
				selects = append(selects, fmt.Sprintf("SELECT %d, %d, (SELECT %s(%s)::bigint FROM %s%s), false", i, j,
					r.furthest(i), quote(column.Name), only, quote(column.Schema, column.Table)))
			}
		}
	}
	for i, s := range r.states {
		if s.Unknown == "" {
			selects = append(selects, fmt.Sprintf("SELECT %d, -1, last_value, is_called FROM %s", i, quote(s.Schema, s.Name)))
		}
	}

	var statements []string
	for len(selects) > 0 {
		n := min(maxProbes, len(selects))
		statements = append(statements, strings.Join(selects[:n], "\nUNION ALL "))
		selects = selects[n:]
	}
	return statements
}

func (r *sequenceReader) furthest(sequence int) string {
	if r.descending[sequence] {
		return "min"
	}
	return "max"
}

func (r *sequenceReader) addValue(v [][]byte) error {
	i, err := strconv.Atoi(string(v[0]))
	if err != nil {
		return err
	}
	j, err := strconv.Atoi(string(v[1]))
	if err != nil {
		return err
	}
	if v[2] == nil {
		return nil
	}
	value, err := strconv.ParseInt(string(v[2]), 10, 64)
	if err != nil {
		return err
	}

	if j < 0 {
		r.states[i].LastValue = &value
		r.states[i].IsCalled = string(v[3]) == "t"
		return nil
	}
	r.states[i].Columns[j].Furthest = &value
	return nil
}

// quote returns a qualified name in quotes, in the bytes that the node stores (see
// package rawtext).
func quote(parts ...string) string {
	quoted := make([]string, len(parts))
	for i, part := range parts {
		quoted[i] = table.Quote(rawtext.Bytes(part))
	}
	return strings.Join(quoted, ".")
}
