package render

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	template "github.com/DataDog/datadog-agent/pkg/template/html"
	"github.com/dustin/go-humanize"

	"ace/shared/api"
	"ace/shared/difffile"
	"ace/shared/rowpairs"
)

// head is the template input for the beginning of the page, which precedes its data. It
// describes the comparison as a whole.
type head struct {
	Policy  string
	Style   template.CSS
	Data    template.JS // the JSON of a layout
	Summary difffile.Summary
	Differs bool
	Again   bool // the document is that of a rerun
	Empty   bool // no node has a row
	Table   string
	Pairs   []pairView // only the pairs with differences
	Equal   []difffile.Pair
	Nodes   []nodeView
	Several bool  // there are more than two nodes
	Counted bool  // the field Alone of each element of Nodes is known
	Alone   alone // which node stands alone most often; the page's script finds it if Nodes have no counts
	Timings []timing
	Notices notices
	Found   int64 // number of differences in the document
	Excerpt bool  // the rows are part of a page of the service (see Rows), not of a report
}

// alone is the node that stands alone in the most rows. A node stands alone in a row if
// all other nodes have the same version of the row and it does not.
type alone struct {
	Node int // index of the node
	Rows int64
}

// notices are the summary's warnings, divided by isNote: notes only describe how rows
// were compared, and warnings may ask for action.
type notices struct{ Warnings, Notes []string }

// layout is what the page's script needs to show rows.
type layout struct {
	Nodes   []safeText `json:"nodes"`
	Columns []safeText `json:"columns"`
	Key     int        `json:"key"` // the number of key columns, which are first in Columns
	// First is the number of differences of the document that precede those of the page.
	// Found is the number of all differences of the document, or 0 if one page can have all
	// of them.
	First int64 `json:"first,omitempty"`
	Found int64 `json:"found,omitempty"`
}

// pairView is what the page shows about one pair.
type pairView struct {
	Nodes     [2]nodeView
	Different int64
	OnlyOn    [2]int64
	Columns   []columnView // sorted by Rows, the largest number first
}

// columnView is the number of rows of a pair that differ in one column.
type columnView struct {
	Name  string
	Rows  int64
	Share string // Rows as a share of the different rows of the pair, in percent
}

// shownColumns is the number of columns of a pair that are shown before a reader asks for
// all.
const shownColumns = 8

// First returns the first shownColumns columns.
func (p pairView) First() []columnView { return p.Columns[:min(shownColumns, len(p.Columns))] }

// Rest returns the other columns.
func (p pairView) Rest() []columnView { return p.Columns[min(shownColumns, len(p.Columns)):] }

// nodeView is what the page shows about one node.
type nodeView struct {
	Name    string
	Color   string // the name of the CSS class that sets the color of the node
	Rows    int64
	Version string
	Alone   int64 // number of rows in which the node stands alone; 0 if this is not known
}

// timing is the duration of a phase.
type timing struct {
	Phase   string
	Seconds api.Seconds
}

// newHead returns the head of a page for the comparison with this summary. It does not
// set Found and Data.
func newHead(s difffile.Summary) head {
	h := head{
		Policy: policy(), Style: template.CSS(pageCSS), Summary: s, Several: len(s.Nodes) > 2,
		Differs: s.MismatchedRows > 0, Again: s.RerunOf != "", Table: s.Schema + "." + s.Table,
		Notices: sortNotices(s.Warnings), Timings: timings(s.Timings),
	}
	h.Empty = s.TotalRows == 0 && !h.Differs && !h.Again

	counts := aloneCounts(s)
	h.Counted = len(counts) > 0 && h.Differs
	for i, node := range s.Nodes {
		v := nodeView{Name: node, Color: colorOf(i), Rows: s.RowsPerNode[node], Version: s.ServerVersions[node]}
		if h.Counted {
			v.Alone = counts[i]
		}
		if v.Alone > h.Alone.Rows {
			h.Alone = alone{i, v.Alone}
		}
		h.Nodes = append(h.Nodes, v)
	}
	for _, p := range s.Pairs {
		if v := newPairView(p, s.Nodes); v.Different+v.OnlyOn[0]+v.OnlyOn[1] > 0 {
			h.Pairs = append(h.Pairs, v)
		} else {
			h.Equal = append(h.Equal, p.Nodes)
		}
	}

	return h
}

// newLayout returns the layout of a document whose columns are shown in the given order.
func newLayout(doc *rowpairs.Document, order []int) layout {
	s, l := doc.Summary(), layout{Key: len(doc.Key())}
	for _, node := range s.Nodes {
		l.Nodes = append(l.Nodes, safeText(node))
	}
	for _, at := range order {
		l.Columns = append(l.Columns, safeText(s.Columns[at].Name))
	}
	return l
}

// colors is the number of colors for nodes in page.css.
const colors = 8

// colorOf returns the class of a node's color.
func colorOf(node int) string { return "node-" + strconv.Itoa(node%colors) }

// aloneCounts returns, for each node, the number of rows in which it stands alone. The
// summary of a document of an earlier version does not have these counts. If such a
// document has three nodes, aloneCounts computes them from the counts of the pairs,
// because a node stands alone in each mismatched row that is equal on the other two
// nodes. For any other such document the result is nil.
func aloneCounts(s difffile.Summary) []int64 {
	if s.Outliers != nil {
		counts := make([]int64, len(s.Nodes))
		for i, node := range s.Nodes {
			counts[i] = s.Outliers[node].Alone
		}
		return counts
	}
	if len(s.Nodes) != 3 || len(s.Pairs) != 3 {
		return nil
	}
	var counts []int64
	for _, p := range []int{2, 1, 0} { // for each node, the index of the pair of the other two nodes
		pair := s.Pairs[p]
		n := s.MismatchedRows - pair.Different - pair.OnlyOn[pair.Nodes[0]] - pair.OnlyOn[pair.Nodes[1]]
		if n < 0 {
			return nil
		}
		counts = append(counts, n)
	}
	return counts
}

// isNote reports whether a warning only describes how rows were compared. A document has
// one list of warnings, so their texts decide. A text that is not known here is a
// warning.
func isNote(text string) bool {
	return slices.ContainsFunc([]string{
		"everything was compared, not only what changed", "rows are compared page by page", "digested with the slower sha256",
		"block_rows was ", "batch_size was ", "serves as the key", ": compared as text", "is ordered by its text",
	}, func(phrase string) bool { return strings.Contains(text, phrase) })
}

func sortNotices(warnings []string) (n notices) {
	for _, text := range warnings {
		if isNote(text) {
			n.Notes = append(n.Notes, text)
		} else {
			n.Warnings = append(n.Warnings, text)
		}
	}
	return n
}

func timings(seconds map[string]float64) []timing {
	var list []timing
	for phase, s := range seconds {
		list = append(list, timing{phase, api.Seconds(s)})
	}
	slices.SortFunc(list, func(a, b timing) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.Phase, b.Phase))
	})
	return list
}

func newPairView(p difffile.PairSummary, nodes []string) pairView {
	v := pairView{Different: p.Different, OnlyOn: [2]int64{p.OnlyOn[p.Nodes[0]], p.OnlyOn[p.Nodes[1]]}}
	for i, name := range p.Nodes {
		v.Nodes[i] = nodeView{Name: name, Color: colorOf(slices.Index(nodes, name))}
	}
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
		"visible": visible, "plain": plain, "number": humanize.Comma,
		"duration": duration,
		"count": func(list any, thing string) string {
			return Quantity(int64(reflect.ValueOf(list).Len()), thing)
		},
		"instant": func(t difffile.Time) string { return t.UTC().Format(time.DateTime) + " UTC" },
		"machine": func(t difffile.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"rows":    func(n int64) string { return Quantity(n, "row") },
		"resolved": func(n int64, differs bool) string {
			if differs {
				return Quantity(n, "other row")
			}
			return Quantity(n, "row")
		},
		"nodes": enumerateNodes,
		"pairs": func(pairs []difffile.Pair) template.HTML {
			var names []string
			for _, p := range pairs {
				names = append(names, p[0]+" / "+p[1])
			}
			return enumerate(names, "bdi")
		},
		"names": func(names []string) template.HTML { return enumerate(names, "code") },

		// Methods are functions here, because templates call no methods, see
		// ARCHITECTURE.md, "Size of the program".
		"first": pairView.First, "rest": pairView.Rest,
	}
}

// duration returns a number of seconds with two significant digits, in a unit that a
// reader expects.
func duration(exact api.Seconds) string {
	seconds, unit := float64(exact), "s"
	switch {
	case seconds < 0.0005:
		return "less than 1 ms"
	case seconds < 1:
		seconds, unit = seconds*1000, "ms"
	case seconds >= 99.5*60:
		seconds, unit = seconds/3600, "h"
	case seconds >= 99.5:
		seconds, unit = seconds/60, "min"
	}
	switch {
	case seconds < 9.95:
		return strconv.FormatFloat(seconds, 'f', 1, 64) + " " + unit
	case seconds < 99.5:
		return strconv.FormatFloat(seconds, 'f', 0, 64) + " " + unit
	}
	return humanize.Comma(int64(math.Round(seconds/10)*10)) + " " + unit
}

// Quantity returns a number with a noun, for example "2 rows".
func Quantity(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return humanize.Comma(n) + " " + thing + "s"
}

// enumerateNodes returns a list of nodes as in a sentence, each in its color.
func enumerateNodes(nodes []nodeView) template.HTML {
	parts := make([]string, len(nodes))
	for i, node := range nodes {
		parts[i] = fmt.Sprintf(`<bdi class="name %s">%s</bdi>`, node.Color, visible(node.Name))
	}
	return template.HTML(Sentence(parts))
}

// Sentence joins parts with commas and "and": "n1, n2 and n3".
func Sentence(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// enumerate returns a list of names as in a sentence, for example "a, b and c", with each
// name in an HTML element of the given kind.
func enumerate(names []string, element string) template.HTML {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("<%s>%s</%s>", element, visible(name), element)
	}
	return template.HTML(Sentence(parts))
}
