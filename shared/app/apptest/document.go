package apptest

import (
	"bytes"
	"testing"

	"ace/shared/difffile"
	"ace/shared/pg/pgtest"
)

// read decodes the document with the strict reader.
func (d *Diff) read(t testing.TB) {
	t.Helper()
	reader, err := difffile.Open(bytes.NewReader(d.Raw))
	if err != nil {
		t.Fatalf("document of %s: %v", d.TaskID, err)
	}
	d.Summary = reader.Summary()
	for entry, err := range reader.Rows() {
		if err != nil {
			t.Fatalf("document of %s: %v", d.TaskID, err)
		}
		row := Row{Pair: entry.Pair.String(), Node: entry.Node, Values: map[string]string{}}
		for i, column := range entry.Columns {
			row.Values[column.Name] = pgtest.Null
			if entry.Row[i] != nil {
				row.Values[column.Name] = *entry.Row[i]
			}
		}
		d.Rows = append(d.Rows, row)
	}
}
