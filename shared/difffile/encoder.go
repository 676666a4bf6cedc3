package difffile

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Encoded is a row as a document has it: a JSON object on one line.
type Encoded []byte

// Encoder writes rows as documents have them. Whoever finds a row encodes it once; from there on it is only copied,
// since decoding and encoding is most of the work of a document with many rows. It may be used concurrently.
type Encoder struct{ columns []column }

// column is what is needed to write a value: its name as JSON with the colon, and its kind.
type column struct {
	name  string
	label []byte
	kind  kind
}

// NewEncoder makes an encoder of rows with these columns.
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

// Decoder reads rows back that an Encoder wrote. It may be used concurrently.
type Decoder struct{ columns columns }

// NewDecoder makes a decoder of rows with these columns.
func NewDecoder(list []Column) *Decoder { return &Decoder{columns: newColumns(list, nil)} }

// Decode gives the values of a row.
func (d *Decoder) Decode(row Encoded) (Row, error) {
	if values, n := d.columns.parseOurs(row); n == len(row) && n > 0 {
		return values, nil
	}
	if !json.Valid(row) {
		return nil, errors.New("the row is not JSON")
	}
	return d.columns.parse(row)
}
