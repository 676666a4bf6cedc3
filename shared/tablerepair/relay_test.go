package tablerepair

import (
	"maps"
	"strings"
	"testing"

	"ace/shared/difffile"
)

// The repair of n2 inserts the rows 5 and 6.
func TestReadHoldings_DeterminesWhichNodesHaveTheInsertedRows(t *testing.T) {
	const head = `{"diffs":{"n1/n2":{"n1":[{"id":5},{"id":6},{"id":7}],"n2":[{"id":7},{"id":8}]}`
	const tail = `},"summary":{"schema":"public","table":"t"}}`
	tests := []struct {
		name, pairs string
		want        map[string]holding
	}{
		{"n3 is equal to the source", `,"n2/n3":{"n2":[],"n3":[{"id":5},{"id":6}]}`, map[string]holding{"n3": hasRows}},
		{"n3 lacks both rows", `,"n1/n3":{"n1":[{"id":6},{"id":5}],"n3":[]}`, map[string]holding{"n3": lacksRows}},
		{"n3 lacks one row", `,"n1/n3":{"n1":[{"id":6}],"n3":[]}`, map[string]holding{"n3": hasRows}},
		{"n3 has another version", `,"n1/n3":{"n1":[{"id":5},{"id":6}],"n3":[{"id":6}]}`, map[string]holding{"n3": hasRows}},
		{"n3 is not compared", ``, map[string]holding{}},
	}
	for _, tt := range tests {
		doc, err := difffile.Open(strings.NewReader(head + tt.pairs + tail))
		if err != nil {
			t.Fatal(err)
		}
		got, err := readHoldings(doc, &Plan{Source: "n1", Key: []string{"id"}}, "n2", []string{"n3"})
		if err != nil || !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
}
