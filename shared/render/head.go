package render

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/difffile"
	"ace/shared/rowpairs"
)

// head is the template input for the beginning of the page, which precedes its data. It
// describes the comparison as a whole.
type head struct {
	Policy  string
	Style   template.CSS
	Data    template.JS // a layout as JSON
	Summary difffile.Summary
	Differs bool
	Again   bool // the document is that of a rerun
	Table   string
	Pairs   []pairView
	Nodes   []nodeView
	Timings []timing
	Found   int64 // number of differences in the document
}

// layout is what the page's script needs to show rows.
type layout struct {
	Pairs   [][2]safeText `json:"pairs"`
	Columns []safeText    `json:"columns"`
	Key     int           `json:"key"` // the number of key columns, which are first in Columns
}

// pairView is what the page shows about one pair.
type pairView struct {
	Nodes     difffile.Pair
	Total     int64
	Different int64
	OnlyOn    [2]int64
	Columns   []columnView // the columns that differ most often first
}

// columnView is the number of rows that differ in a column.
type columnView struct {
	Name  string
	Rows  int64
	Share string // share of the different rows, in percent
}

// nodeView is what the page shows about one node.
type nodeView struct {
	Name    string
	Rows    int64
	Version string
}

// timing is the duration of a phase.
type timing struct {
	Phase   string
	Seconds api.Seconds
}

func newHead(doc *rowpairs.Document, order []int) (head, error) {
	s := doc.Summary()
	h := head{
		Policy: policy(), Style: template.CSS(pageCSS), Summary: s, Found: doc.Count(),
		Differs: s.MismatchedRows > 0, Again: s.RerunOf != "", Table: s.Schema + "." + s.Table,
	}

	l := layout{Key: len(doc.Key()), Pairs: [][2]safeText{}}
	for _, at := range order {
		l.Columns = append(l.Columns, safeText(s.Columns[at].Name))
	}
	for _, p := range s.Pairs {
		l.Pairs = append(l.Pairs, [2]safeText{safeText(p.Nodes[0]), safeText(p.Nodes[1])})
		h.Pairs = append(h.Pairs, newPairView(p))
	}

	for _, node := range s.Nodes {
		h.Nodes = append(h.Nodes, nodeView{node, s.RowsPerNode[node], s.ServerVersions[node]})
	}
	for phase, seconds := range s.Timings {
		h.Timings = append(h.Timings, timing{phase, api.Seconds(seconds)})
	}
	slices.SortFunc(h.Timings, func(a, b timing) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.Phase, b.Phase))
	})

	var err error
	h.Data, err = encode(l)
	return h, err
}

func newPairView(p difffile.PairSummary) pairView {
	v := pairView{
		Nodes: p.Nodes, Different: p.Different, OnlyOn: [2]int64{p.OnlyOn[p.Nodes[0]], p.OnlyOn[p.Nodes[1]]},
	}
	v.Total = v.Different + v.OnlyOn[0] + v.OnlyOn[1]
	for name, rows := range p.Columns {
		if rows > 0 {
			v.Columns = append(v.Columns, columnView{name, rows, share(rows, p.Different)})
		}
	}
	slices.SortFunc(v.Columns, func(a, b columnView) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Name, b.Name))
	})
	return v
}

// share returns part as a percentage of whole, for the width of a bar. The result is at
// least 0.5%, so that the bar is visible.
func share(part, whole int64) string {
	percent := 100 * float64(part) / float64(max(part, whole, 1))
	return strconv.FormatFloat(max(percent, 0.5), 'f', 1, 64) + "%"
}

// functions returns the functions that the page's template calls.
func functions() template.FuncMap {
	return template.FuncMap{
		"visible": visible, "plain": plain, "number": number,
		"seconds": func(s api.Seconds) string { return strconv.FormatFloat(float64(s), 'f', -1, 64) + " s" },
		"instant": func(t difffile.Time) string { return t.UTC().Format(time.DateTime) + " UTC" },
		"machine": func(t difffile.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"rows":    func(n int64) string { return quantity(n, "row") },
		"resolved": func(n int64, differs bool) string {
			if differs {
				return quantity(n, "other row")
			}
			return quantity(n, "row")
		},
		"nodes": func(names []string) template.HTML { return enumerate(names, "bdi") },
		"names": func(names []string) template.HTML { return enumerate(names, "code") },
	}
}

// quantity returns a number with a noun, for example "2 rows".
func quantity(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// number returns a number with grouped digits, for example 1,234,567.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// enumerate returns a list of names as in a sentence, for example "a, b and c".
func enumerate(names []string, element string) template.HTML {
	var out strings.Builder
	for i, name := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			out.WriteString(" and ")
		default:
			out.WriteString(", ")
		}
		fmt.Fprintf(&out, "<%s>%s</%s>", element, visible(name), element)
	}
	return template.HTML(out.String())
}
