package tablerepair

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/shared/table"
)

func drawRow(rt *rapid.T, name string) table.Row {
	var row table.Row
	for range rapid.IntRange(0, 5).Draw(rt, name) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`["\\\],{}a]*`)).Draw(rt, "text")
		row = append(row, &text)
		if rapid.IntRange(0, 3).Draw(rt, "null") == 0 {
			row[len(row)-1] = nil
		}
	}
	return row
}

// appendLine appends the change to out as a line, as earlier versions did.
func (c change) appendLine(out []byte) []byte {
	out = append(out, `{"op":`...)
	out = strconv.AppendQuote(out, c.Op)
	out = table.AppendKey(append(out, `,"key":`...), c.Key)
	if len(c.Before) > 0 {
		out = table.AppendRow(append(out, `,"before":`...), c.Before)
	}
	out = appendColumns(out, `,"columns":`, c.Columns)
	if len(c.After) > 0 {
		out = table.AppendRow(append(out, `,"after":`...), c.After)
	}
	if len(c.WantedColumns) > 0 {
		out = appendColumns(out, `,"wanted_columns":`, c.WantedColumns)
		out = table.AppendRow(append(out, `,"wanted":`...), c.Wanted)
	}
	return append(out, '}')
}

// appendColumns appends a list of indexes of columns as the member name (such as
// `,"columns":`), unless the list is empty.
func appendColumns(out []byte, name string, columns []int) []byte {
	if len(columns) == 0 {
		return out
	}
	out = append(out, name...)
	for i, at := range columns {
		out = strconv.AppendInt(append(out, "[,"[min(i, 1)]), int64(at), 10)
	}
	return append(out, ']')
}

func TestReadChange_ReadsItsOwnLayoutAndOtherJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := drawChange(rt)
		c.Digest = 0 // the lines had no digests
		line := c.appendLine(nil)
		plain, ok := readPlain(line)
		if diff := cmp.Diff(c, plain, allFields); !ok || diff != "" {
			rt.Fatalf("%s is read as (-wrote +read):\n%s", line, diff)
		}
		var standard change
		if err := json.Unmarshal(line, &standard); err != nil || !cmp.Equal(c, standard, allFields) {
			rt.Fatalf("%s: encoding/json reads %+v, error %v", line, standard, err)
		}
		raw, err := json.Marshal(c)
		if err != nil {
			rt.Fatal(err)
		}
		if read, err := readChange(raw); err != nil || !cmp.Equal(c, read, allFields) {
			rt.Fatalf("%s of encoding/json is read as %+v, error %v", raw, read, err)
		}
	})
}

// encoding/json decodes every line to the same change as our own decoder.
func FuzzChange(f *testing.F) {
	f.Add([]byte(`{"op":"update","key":["1"],"before":["1",null],"columns":[1],"after":["x"]}`))
	f.Add([]byte(`{"op":"delete","key":["1"],"before":["]}"]}`))
	f.Add([]byte(`{"op":"insert","key":[],"columns":[]}`))
	f.Add([]byte(`{"op":"update","key":["1"],"columns":[1],"after":["x"],"wanted_columns":[2],"wanted":["y"]}`))
	f.Add([]byte(`update","key":[]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		plain, ok := readPlain(line)
		if !ok {
			return
		}
		var standard change
		if err := json.Unmarshal(line, &standard); err != nil {
			t.Fatalf("%q is read by hand: %v", line, err)
		}
		if got, want := string(plain.appendLine(nil)), string(standard.appendLine(nil)); got != want {
			t.Fatalf("%q is %s, encoding/json reads %s", line, got, want)
		}
	})
}
