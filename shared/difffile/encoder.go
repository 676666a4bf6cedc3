package difffile

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Encoded is a row in the form of a document: a JSON object on one line.
type Encoded []byte

// Encoder encodes rows in the form of a document. A comparison encodes each row once,
// when it reads the row. After that it only copies the encoded row, since encoding and
// decoding are most of the cost of a document with many rows. An Encoder is safe for
// concurrent use.
type Encoder struct{ columns []column }

// column is a column of an Encoder.
type column struct {
	name  string
	label []byte // the name as JSON, followed by a colon
	kind  kind
}

// NewEncoder returns an encoder of rows with these columns.
func NewEncoder(columns []Column) (*Encoder, error) {
	e := &Encoder{}
	for _, c := range columns {
		label, err := appendString(nil, c.Name)
		if err != nil {
			return nil, fmt.Errorf("difffile: column name %w", err)
		}
		e.columns = append(e.columns, column{name: c.Name, label: append(label, ':'), kind: kindOf(c)})
	}
	return e, nil
}

// Append appends a row to out.
func (e *Encoder) Append(out []byte, row Row) (Encoded, error) {
	if len(row) != len(e.columns) {
		return nil, fmt.Errorf("it has %d values for %d columns", len(row), len(e.columns))
	}

	out = append(out, '{')
	for i, c := range e.columns {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendValue(append(out, c.label...), c.kind, row[i]); err != nil {
			return nil, fmt.Errorf("column %q: %w", c.name, err)
		}
	}
	return append(out, '}'), nil
}

// Decoder decodes rows that an Encoder has encoded. It is safe for concurrent use.
type Decoder struct{ columns columns }

// NewDecoder returns a decoder of rows with these columns.
func NewDecoder(list []Column) *Decoder { return &Decoder{columns: newColumns(list, nil)} }

// Decode returns the values of a row.
func (d *Decoder) Decode(row Encoded) (Row, error) {
	v := values{text: make([]byte, 0, len(row))}
	if n := d.columns.parseFast(row, &v); n == len(row) && n > 0 {
		return v.row(), nil
	}
	if !json.Valid(row) {
		return nil, errors.New("the row is not JSON")
	}
	return d.columns.parse(row, &v)
}
