package difffile_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/shared/difffile"
	"ace/shared/fault"
)

// only reads the rows of n1 in n1/n2, restricted to these columns.
func only(document string, names ...string) (columns []string, rows []difffile.Row, err error) {
	r, err := difffile.Open(strings.NewReader(document))
	if err != nil {
		return nil, nil, err
	}
	r.Only(names)
	for entry, err := range r.Rows() {
		if err != nil {
			return nil, nil, err
		}
		columns = nil
		for _, column := range entry.Columns {
			columns = append(columns, column.Name)
		}
		rows = append(rows, entry.Row)
	}
	return columns, rows, nil
}

// documentOf returns a document of one row with these columns.
func documentOf(columns []difffile.Column, row string) string {
	list, _ := json.Marshal(columns)
	key, _ := json.Marshal(columns[0].Name)
	return fmt.Sprintf(`{"format":"ace-diff/1","summary":{"primary_key":[%s],"nodes":["n1","n2"],"columns":%s,"pairs":{"n1/n2":{}}},"diffs":{"n1/n2":{"n1":[%s],"n2":[]}}}`,
		key, list, row)
}

func TestOnly_ReturnsTheWantedColumnsForAnyLayoutOfTheRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var columns []difffile.Column
		var members []string
		var wantColumns []string
		var want difffile.Row
		var wanted []string
		space := rapid.SampledFrom([]string{"", " ", "\n\t"})
		for i := range rapid.IntRange(1, 5).Draw(t, "columns") {
			column := difffile.Column{Name: rapid.SampledFrom([]string{"a", `"`, `\`, "é", "", "x\ny"}).Draw(t, "name") + fmt.Sprint(i), Type: "text"}
			text := strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", `"\`)
			value, _ := json.Marshal(text)
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				column.Type, text = "bigint", fmt.Sprint(rapid.Int64().Draw(t, "integer"))
				value = []byte(text)
			case 1:
				column.Type, text, value = "boolean", "t", []byte("true")
			}
			name, _ := json.Marshal(column.Name)
			if rapid.Bool().Draw(t, "name unescaped") {
				name = []byte(strings.NewReplacer(`\u003c`, "<").Replace(string(name)))
			}
			columns = append(columns, column)
			members = append(members, string(name)+space.Draw(t, "space")+":"+space.Draw(t, "space")+string(value)+space.Draw(t, "space"))
			if rapid.Bool().Draw(t, "wanted") {
				wanted = append(wanted, column.Name)
				wantColumns, want = append(wantColumns, column.Name), append(want, &text)
			}
		}
		if rapid.Bool().Draw(t, "another order") {
			slices.Reverse(members)
		}
		document := documentOf(columns, "{"+strings.Join(members, ",")+"}")
		gotColumns, got, err := only(document, append(wanted, "unknown")...)
		if err != nil {
			t.Fatalf("%v in %s", err, document)
		}
		if !slices.Equal(gotColumns, wantColumns) || len(want) > 0 && !cmp.Equal(got, []difffile.Row{want}) {
			t.Fatalf("%s: got %v %v", document, gotColumns, cmp.Diff([]difffile.Row{want}, got))
		}
	})
}

func TestOnly_StillReportsAnInvalidRow(t *testing.T) {
	columns := []difffile.Column{{Name: "id", Type: "bigint"}, {Name: "v", Type: "text"}, {Name: "w", Type: "text"}}
	for name, tt := range map[string]struct{ row, want string }{
		"a wrong key":             {`{"id":"1","v":"","w":""}`, `row 1: "id": "1" is not allowed`},
		"a column missing":        {`{"id":1,"v":""}`, "it has 2 of 3 columns"},
		"a column too many":       {`{"id":1,"v":"","w":"","x":""}`, `"x": there is no such column`},
		"a column twice":          {`{"id":1,"v":"","w":"","id":2}`, `"id": it appears twice`},
		"no columns":              {`{}`, "it has 0 of 3 columns"},
		"not an object":           {`[1]`, "it must be an object"},
		"a text that is not JSON": {`{"id":1,"v":"` + "\n" + `","w":""}`, "invalid character"},
		"a truncated member":      {`{"id":1,"v":"","w"}`, "expected colon instead of '}'"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := only(documentOf(columns, tt.row), "id")
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestOnly_DoesNotRestrictThePeersRows(t *testing.T) {
	columns, rows, err := only(`{"diffs":{"n1/n2":{"n1":[{"id":1,"v":"x"}]}}}`, "id")
	if err != nil || !slices.Equal(columns, []string{"id", "v"}) || len(rows) != 1 || len(rows[0]) != 2 {
		t.Errorf("got %v, %d rows, %v", columns, len(rows), err)
	}
}
