package apptest

import (
	"bytes"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/difffile"
)

// read decodes the document with the strict reader.
func (d *Diff) read(t testing.TB) {
	t.Helper()
	reader, err := difffile.Open(bytes.NewReader(d.Raw))
	if err != nil {
		t.Fatalf("document of %s: %v", d.TaskID, err)
	}
	d.Summary = reader.Summary()
	err = reader.Visit(difffile.Visitor{
		Row: func(e difffile.Entry) error {
			d.Rows = append(d.Rows, rowOf(e))
			return nil
		},
		KeyVariants: func(_ difffile.Pair, keys [2]difffile.Row) error {
			d.KeyVariants = append(d.KeyVariants, keys)
			return nil
		},
	})
	if err != nil {
		t.Fatalf("document of %s: %v", d.TaskID, err)
	}
}

func rowOf(e difffile.Entry) Row {
	row := Row{Pair: e.Pair.String(), Node: e.Node, Values: map[string]string{}}
	for i, column := range e.Columns {
		row.Values[column.Name] = pgtest.Null
		if e.Row[i] != nil {
			row.Values[column.Name] = *e.Row[i]
		}
	}
	return row
}
