package render_test

import (
	"slices"
	"strings"

	"pgregory.net/rapid"

	"ace/infra/testkit/difftest"
	"ace/shared/difffile"
	"ace/shared/table"
)

var n12 = difffile.Pair{"n1", "n2"}

// hostile are values that are dangerous if they are shown without escaping.
var hostile = []string{
	`<script>alert(1)</script>`, `</script><img src=x onerror=alert(1)>`, `<!--<script>`, `</style>`, `]]>`, `&lt;`, `"><b>`,
	`javascript:alert(1)`, `{{.}}`, `${1}`, `%s`, `\u003cscript\u003e`, `\x00`, `\u0000`, "\x01\x1b[31mred", "\u2028\u2029",
	"\u202egpj.exe", "\u2066x\u2069", "\u200f", "a\u200db", "\ufeff", "\u00ad", "e\u0301", "👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "ＮＵＬＬ",
	`=1+1`, `=HYPERLINK("http://x")`, `+1`, `-1+1`, `-2`, `-2.50`, `-1e-07`, `-Infinity`, `@SUM(A1)`, "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1",
	"\u200b=1", "＝1", "'", "''", "'=1", `"`, `""`, `,`, `;`, "a;=1", "\r\n", " ", " x ", "NULL", `\N`, `\.`, "", "0", "t",
}

// drawText draws values of a text column.
func drawText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom(hostile), rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("'\",\r\n=-+@\t 1é\u0301\u202e<\u200d👩"))),
	).Filter(func(s string) bool { return !strings.Contains(s, "\x00") })
}

// drawDocument draws a document of three nodes.
func drawDocument(t *rapid.T) (difffile.Summary, difftest.List) {
	columns := []difffile.Column{{Name: "id", Type: "text"}}
	for _, name := range rapid.SliceOfNDistinct(drawText(), 0, 4, rapid.ID).Draw(t, "columns") {
		if name != "id" {
			columns = append(columns, difffile.Column{Name: name, Type: rapid.SampledFrom([]string{"text", "numeric", "<b>"}).Draw(t, "type")})
		}
	}
	s := difftest.Summary([]string{"n1", "n2", "n3"}, columns...)
	if len(columns) > 2 && rapid.Bool().Draw(t, "key of two") {
		s.PrimaryKey = []string{columns[2].Name, "id"}
	}
	row := rapid.Custom(func(t *rapid.T) difffile.Row {
		row := make(difffile.Row, len(columns))
		for i, column := range columns {
			text := drawText().Draw(t, "value")
			if i > 0 && column.Name != s.PrimaryKey[0] && rapid.IntRange(0, 4).Draw(t, "null") == 0 {
				continue
			}
			row[i] = &text
		}
		return row
	})
	list := difftest.List{}
	for _, key := range rapid.SliceOfNDistinct(drawText(), 0, 6, rapid.ID).Draw(t, "keys") {
		unsettled := rapid.IntRange(0, 3).Draw(t, "unsettled") == 0
		var rows []difffile.Row
		for range s.Nodes {
			switch kind := rapid.IntRange(0, 3).Draw(t, "kind"); {
			case kind == 0:
				rows = append(rows, nil)
			case kind == 1 && len(rows) > 0:
				rows = append(rows, rows[0])
			default:
				rows = append(rows, row.Draw(t, "row"))
				*rows[len(rows)-1][0] = key
			}
		}
		if rows[0] != nil && len(s.PrimaryKey) == 2 && rapid.IntRange(0, 3).Draw(t, "key variant") > 0 {
			for _, other := range rows {
				if other != nil {
					other[2] = rows[0][2]
				}
			}
		}
		findPairs(list, s.Nodes, rows, unsettled)
	}
	return s, list
}

// findPairs adds what a comparison finds for a key. rows has the row of each node.
func findPairs(list difftest.List, nodes []string, rows []difffile.Row, unsettled bool) {
	for i, a := range nodes {
		for j := i + 1; j < len(nodes); j++ {
			if (rows[i] == nil) != (rows[j] == nil) || !slices.EqualFunc(rows[i], rows[j], table.SameValue) {
				pair := difffile.Pair{a, nodes[j]}
				list[pair] = append(list[pair], difftest.Found{Rows: [2]difffile.Row{rows[i], rows[j]}, Unsettled: unsettled})
			}
		}
	}
}
