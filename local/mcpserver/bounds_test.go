package mcpserver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ace/shared/difffile"
	"ace/shared/rowpairs"
)

// wide returns the columns of a table and a row of it. Each value has n characters.
func wide(columns, n int) (list []difffile.Column, row difffile.Row) {
	value := strings.Repeat("v", n)
	for c := range columns {
		list, row = append(list, difffile.Column{Name: fmt.Sprintf("column_%04d", c), Type: "text"}), append(row, &value)
	}
	return list, row
}

func TestRowsAnswer_NoRowIsLarge(t *testing.T) {
	columns, row := wide(1600, maxValue)
	a := rowsAnswer{document: difffile.Summary{Columns: columns}}
	a.add([]int{0, 1599}, rowpairs.Difference{Pair: difffile.Pair{"n1", "n2"}, Rows: [2]difffile.Row{row, nil}}, false)

	raw, err := json.Marshal(a)
	if err != nil || len(raw) > 2*maxRowBytes {
		t.Errorf("a row of 1600 columns takes %d bytes, %v", len(raw), err)
	}
	got := a.Rows[0]
	if len(got.Key) != 2 || len(got.Values) == 0 || got.Omitted == 0 || len(got.Values)+got.Omitted != 1598 {
		t.Errorf("the key has %d columns, %d columns are shown and %d omitted", len(got.Key), len(got.Values), got.Omitted)
	}
}

func TestRowsAnswer_KeysCountToo(t *testing.T) {
	columns, row := wide(32, maxValue)
	key := make([]int, len(columns))
	for c := range key {
		key[c] = c
	}
	a := rowsAnswer{document: difffile.Summary{Columns: columns}}
	for range maxRows {
		if a.isFull(maxRows) {
			return
		}
		a.add(key, rowpairs.Difference{Pair: difffile.Pair{"n1", "n2"}, Rows: [2]difffile.Row{row, nil}}, false)
	}
	raw, _ := json.Marshal(a)
	t.Errorf("%d rows of 32 key columns take %d bytes", len(a.Rows), len(raw))
}
