package render_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/infra/testkit/difftest"
	"ace/infra/testkit/rendertest"
	"ace/shared/difffile"
	"ace/shared/render"
	"ace/shared/rowpairs"
)

// pageData is the data in a page for its script.
type pageData struct {
	layout struct {
		Nodes   []string
		Columns []string
		Key     int
	}
	chunks []pageChunk
}

type pageChunk struct {
	Patterns  [][]int
	Pattern   []int
	Unsettled []int
	Sets      [][]int
	Differ    []int
	Keys      []string
	rows      [][][]any
}

var dataElement = regexp.MustCompile(`(?s)<script type="application/json"([^>]*)>(.*?)</script>`)

// readPage extracts a page's data as an HTML parser does: an element's text ends at the
// first </script.
func readPage(page []byte) (data pageData, err error) {
	into := func(raw []byte, v any) {
		if err == nil {
			err = json.Unmarshal(raw, v)
		}
	}
	for _, found := range dataElement.FindAllSubmatch(page, -1) {
		switch string(found[1]) {
		case ` id="layout"`:
			into(found[2], &data.layout)
		case ` class="index"`:
			data.chunks = append(data.chunks, pageChunk{})
			into(found[2], &data.chunks[len(data.chunks)-1])
		default:
			into(found[2], &data.chunks[len(data.chunks)-1].rows)
		}
	}
	return data, err
}

// text joins the pieces of a cell.
func text(cell any) *string {
	if cell == nil {
		return nil
	}
	var out strings.Builder
	var add func(any)
	add = func(piece any) {
		switch p := piece.(type) {
		case string:
			out.WriteString(p)
		case []any:
			for _, inner := range p {
				add(inner)
			}
		case float64:
			if p > 0 {
				fmt.Fprintf(&out, "(%v characters omitted)", p)
			}
		}
	}
	add(cell)
	s := out.String()
	return &s
}

// difference is a difference in a page.
type difference struct {
	Rows      []difffile.Row // for each node, in the order of the page's columns
	Unsettled bool
	Differ    []int
}

func (data pageData) differences() []difference {
	var list []difference
	for _, c := range data.chunks {
		for i, versions := range c.rows {
			d := difference{Unsettled: slices.Contains(c.Unsettled, i), Differ: c.Sets[c.Differ[i]]}
			for _, version := range c.Patterns[c.Pattern[i]] {
				var row difffile.Row
				for column := 0; version >= 0 && column < len(versions[version]); column++ {
					cell := versions[version][column]
					if same, ok := cell.(float64); ok {
						cell = versions[int(same)][column]
					}
					row = append(row, text(cell))
				}
				d.Rows = append(d.Rows, row)
			}
			list = append(list, d)
		}
	}
	return list
}

// expected returns the differences that a page must have.
func expected(doc *rowpairs.Document) (list []difference, err error) {
	order := slices.Clone(doc.Key())
	for at := range doc.Summary().Columns {
		if !slices.Contains(order, at) {
			order = append(order, at)
		}
	}
	keys, err := doc.Keys(context.Background())
	if err != nil {
		return nil, err
	}
	for found, err := range keys.All(context.Background()) {
		if err != nil {
			return nil, err
		}
		d := difference{Unsettled: found.Unsettled, Differ: []int{}}
		for _, row := range found.Rows {
			var reordered difffile.Row
			for _, at := range order {
				if row != nil {
					reordered = append(reordered, row[at])
				}
			}
			d.Rows = append(d.Rows, reordered)
		}
		present := slices.DeleteFunc(slices.Clone(d.Rows), func(row difffile.Row) bool { return row == nil })
		for column := range order {
			if slices.ContainsFunc(present, func(row difffile.Row) bool { return !cmp.Equal(row[column], present[0][column]) }) {
				d.Differ = append(d.Differ, column)
			}
		}
		list = append(list, d)
	}
	return list, nil
}

func TestHTML_HoldsEveryValueOfTheDocument(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s, list := drawDocument(rt)
		open := difftest.Opener(t, difftest.Document(rt, s, list.Each))
		var page bytes.Buffer
		if err := render.HTML(context.Background(), &page, open); err != nil {
			rt.Fatal(err)
		}
		data, err := readPage(page.Bytes())
		if err != nil {
			rt.Fatalf("%v in\n%s", err, page.Bytes())
		}
		doc, err := rowpairs.Open(context.Background(), open)
		if err != nil {
			rt.Fatal(err)
		}
		want, err := expected(doc)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, data.differences()); diff != "" {
			rt.Fatalf("(-document +page):\n%s", diff)
		}
		if scripts := strings.Count(page.String(), "<script"); scripts != 2+2*len(data.chunks) {
			rt.Fatalf("%d script elements for %d chunks:\n%s", scripts, len(data.chunks), page.Bytes())
		}
	})
}

func TestHTML_IsDeterministic(t *testing.T) {
	t.Parallel()
	s := rendertest.Customers("n1", "n2", "n3")
	found := func(difffile.Pair) iter.Seq[difftest.Found] { return rendertest.Drift(300) }
	if !bytes.Equal(htmlOf(t, s, found), htmlOf(t, s, found)) {
		t.Error("two pages of one document differ")
	}
}

func TestHTML_AChunkIsSmall(t *testing.T) {
	t.Parallel()
	s := rendertest.Customers("n1", "n2", "n3")
	data, err := readPage(htmlOf(t, s, func(difffile.Pair) iter.Seq[difftest.Found] { return rendertest.Drift(450) }))
	if err != nil {
		t.Fatal(err)
	}
	var sizes []string
	for _, c := range data.chunks {
		sizes = append(sizes, fmt.Sprint(len(c.rows)))
	}
	want := "200 200 50"
	if got := strings.Join(sizes, " "); got != want {
		t.Errorf("chunks are %s, want %s", got, want)
	}
	long := difftest.Row("eu", "1", strings.Repeat("x", 1<<18), "", "", "", "t", "", "", strings.Repeat("y", 1<<18))
	page := htmlOf(t, s, func(difffile.Pair) iter.Seq[difftest.Found] {
		return slices.Values([]difftest.Found{{Rows: [2]difffile.Row{long, nil}}})
	})
	if len(page) > 100_000 {
		t.Errorf("values of 256 kB make a page of %d bytes", len(page))
	}
}

func TestHTML_ATooLargePageHasTheFirstDifferencesAndSaysSo(t *testing.T) {
	t.Parallel()
	document := difftest.Document(t, rendertest.Customers("n1", "n2"), func(difffile.Pair) iter.Seq[difftest.Found] { return rendertest.Drift(1000) })
	for limit, want := range map[int64]string{
		1:       "The page has the first 201 of 1,000 differences",
		1 << 20: "",
	} {
		var page bytes.Buffer
		if err := render.HTMLWithin(t.Context(), &page, difftest.Opener(t, document), limit); err != nil {
			t.Fatal(err)
		}
		if want == "" && strings.Contains(page.String(), "The page has the first") || !strings.Contains(page.String(), want) {
			t.Errorf("limit %d: the page lacks %q, or has a notice that it must not have", limit, want)
		}
	}
}

func TestHTML_ShowsTheVerdictWithoutAScript(t *testing.T) {
	match := rendertest.Customers("n1", "n2", "n3")
	match.ResolvedRows = 0
	one := match
	one.MismatchedRows = 1
	again := match
	again.TaskID, again.RerunOf, again.TotalRows = "tr_20240315_123456", "diffs/2024-03-15/td_20240315_123456.json", 4
	still := again
	still.MismatchedRows = 3
	found := difftest.List{n12: {{Rows: [2]difffile.Row{rendertest.Customer(1), rendertest.Drifted(1)}, Unsettled: true}}}
	empty := match
	empty.TotalRows = 0
	filtered := empty
	filtered.TableFilter = "id < 0"
	noted := one
	noted.Warnings = []string{"block_rows was raised to 20000 for a table of about 2000000 rows", "something to act on"}
	findings := func(rows ...difffile.Row) difftest.List {
		list := difftest.List{}
		findPairs(list, match.Nodes, rows, false)
		return list
	}
	counted := one
	counted.MismatchedRows, counted.Outliers = 9, map[string]difffile.Outlier{"n3": {Alone: 7, Minority: 8}}
	limited := one
	limited.DiffRowLimitReached, limited.TableFilter, limited.IgnoreColumns = true, "id < 7", []string{"seen"}
	for name, tt := range map[string]struct {
		summary difffile.Summary
		found   difftest.List
		want    []string
	}{
		"a match": {match, nil, []string{
			"<title>public.customers matches", `All 2,000,001 rows are the same on <bdi class="name node-0">n1</bdi>, <bdi class="name node-1">n2</bdi> and <bdi class="name node-2">n3</bdi>.`,
			"There are none."}},
		"an empty table":           {empty, nil, []string{"<title>public.customers matches: no rows", "The table is empty: ", "each have 0 rows."}},
		"no row passes the filter": {filtered, nil, []string{"No node has a row that passes the filter: ", "each have 0 rows."}},
		"a node that stands alone": {one, findings(rendertest.Customer(1), rendertest.Drifted(1), rendertest.Customer(1)), []string{
			`<bdi class="name node-1">n2</bdi> stands alone in it.`, `<td class="count">1 row</td>`, `<td class="count none">0 rows</td>`, "No differences between <bdi>n1 / n3</bdi>."}},
		"a node of a document with the counts": {counted, found, []string{`<bdi class="name node-2">n3</bdi> stands alone in 7 of them.`, `<td class="count">7 rows</td>`}},
		"notes apart from warnings": {noted, found, []string{
			`<h2 id="warnings-title">Warning</h2>`, "<li>something to act on</li>\n  </ul>\n</section>", "<span>1 note</span>", "<li>block_rows was raised to 20000"}},
		"durations": {noted, found, []string{"<dd>2.0 s</dd>", "compare 1.5 s, confirm 400 ms, merge 94 ms, plan 61 ms"}},
		"one row": {one, found, []string{
			"<title>public.customers differs: 1 row", "<strong>1 row</strong> of 2,000,001 differs between", "1 of these was still being written", "only on <bdi>n1</bdi>"}},
		"a rerun of what healed":   {again, nil, []string{"Rerun of a comparison", "All 4 rows that differed before are the same now on", "td_20240315_123456.json</code>"}},
		"a rerun of what persists": {still, found, []string{"<strong>3 rows</strong> of 4 that differed before still differ between"}},
		"the details":              {limited, found, []string{"limit of rows was reached", "<code>id &lt; 7</code>", "<code>seen</code>", "15.18"}},
	} {
		t.Run(name, func(t *testing.T) {
			page := string(htmlOf(t, tt.summary, tt.found.Each))
			for _, want := range tt.want {
				if !strings.Contains(page, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
		})
	}
}

func TestHTML_ReturnsAnErrorOfTheWriterOrDocument(t *testing.T) {
	t.Parallel()
	document := difftest.Document(t, rendertest.Customers("n1", "n2"), func(difffile.Pair) iter.Seq[difftest.Found] { return rendertest.Drift(1000) })
	for _, room := range []full{0, 1 << 15, 1 << 18} {
		if err := render.HTML(t.Context(), &room, difftest.Opener(t, document)); !errors.Is(err, errFull) {
			t.Errorf("got %v", err)
		}
	}
	if err := render.HTML(t.Context(), &bytes.Buffer{}, difftest.Opener(t, document[:len(document)-3])); err == nil {
		t.Error("a truncated document is rendered")
	}
}

// htmlOf renders findings.
func htmlOf(t *testing.T, s difffile.Summary, found difftest.Findings) []byte {
	t.Helper()
	var html bytes.Buffer
	if err := render.HTML(t.Context(), &html, difftest.Opener(t, difftest.Document(t, s, found))); err != nil {
		t.Fatal(err)
	}
	return html.Bytes()
}
