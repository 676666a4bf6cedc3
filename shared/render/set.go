package render

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"ace/shared/api"
	"ace/shared/finding"
	"ace/shared/setfile"
)

//go:embed set.html
var setHTML string

// SetCSV writes the tables of a document, the worst first, as CSV with the same quoting
// as the function CSV. Each table has one line with these columns:
//
//	table, verdict, total_rows, mismatched_rows, task_id, diff_file, missing_on, error,
//	table_filter, ignore_columns
//
// After the tables, each finding about structure has one line. Its column table contains
// the kind and the name of the object, its column verdict the rank of the finding, and
// its column error the description. The other columns are empty.
func SetCSV(w io.Writer, d setfile.Document) error {
	c := &csv{out: bufio.NewWriterSize(w, 64<<10)}
	lines := [][]string{{"table", "verdict", "total_rows", "mismatched_rows", "task_id", "diff_file", "missing_on", "error", "table_filter", "ignore_columns"}}
	for _, t := range d.WorstFirst() {
		lines = append(lines, []string{
			t.Table.String(), t.Verdict, strconv.FormatInt(t.TotalRows, 10), strconv.FormatInt(t.MismatchedRows, 10),
			t.TaskID, t.DiffFile, strings.Join(t.MissingOn, " "), t.Error, t.TableFilter, strings.Join(t.IgnoreColumns, ","),
		})
	}
	for _, f := range d.Structure {
		lines = append(lines, []string{f.Kind + " " + f.Object, string(f.Rank), "", "", "", "", "", f.Detail, "", ""})
	}

	for _, line := range lines {
		for i := range line {
			c.field(&line[i])
		}
		if err := c.endLine(); err != nil {
			return err
		}
	}
	return c.out.Flush()
}

// setPage is the template input of the page of a comparison of several tables.
type setPage struct {
	Policy     string
	Style      template.CSS
	Summary    setfile.Summary
	Outcome    string // the text that setOutcome returned
	Nodes      []nodeView
	ToCompare  int64 // number of tables that were to be compared
	Compared   int64
	Restricted int64      // number of tables of which only the replicated rows or columns were compared
	Counts     []setCount // sorted by verdict, the worst first
	Tables     []setTable // sorted by verdict, the worst first
	Findings   []setFinding
}

// setCount is the number of tables that have one verdict.
type setCount struct {
	Count int64
	Word  string
	Bad   bool
}

// setTable is what the page shows about one table.
type setTable struct {
	setfile.Table
	Name   string
	Bad    bool
	Report bool // the table has a report of its own
}

// setFinding is what the page shows about one finding.
type setFinding struct {
	Object, Kind, Rank, Detail string
	Bad                        bool
	Nodes, Fix                 []nodeText
}

// nodeText is a text about one node.
type nodeText struct {
	Node nodeView
	Text string
}

// SetHTML writes the page of a comparison of several tables. It begins with the verdict
// and the list of tables, the worst first. The name of a table is a link to the report of
// the table, relative to the address of the page. The page has no script, and its content
// security policy forbids scripts and requests.
func SetHTML(w io.Writer, d setfile.Document) error {
	page, err := parseSet()
	if err != nil {
		return fmt.Errorf("render: %w", err)
	}

	var out bytes.Buffer // so that an incomplete page is never written
	if err := page.Execute(&out, newSetPage(d)); err != nil {
		return err
	}
	_, err = out.WriteTo(w)
	return err
}

func parseSet() (*template.Template, error) {
	return template.New("").Funcs(functions()).Funcs(template.FuncMap{
		"quantity":    Quantity,
		"moment":      func(t api.Time) string { return t.UTC().Format(time.DateTime) + " UTC" },
		"restriction": func(t setTable) string { return t.Restriction() },
	}).Parse(setHTML)
}

func newSetPage(d setfile.Document) setPage {
	style := pageCSS + "\ntable a { color: var(--link); }\n" // pageCSS has no color for links, because the page of one table has none
	p := setPage{
		Policy: fmt.Sprintf("default-src 'none'; style-src '%s'; base-uri 'none'; form-action 'none'", digest(style)),
		Style:  template.CSS(style), Summary: d.Summary, Outcome: setOutcome(d.Summary),
	}
	views := map[string]nodeView{}
	for i, name := range d.Summary.Nodes {
		views[name] = nodeView{Name: name, Color: colorOf(i)}
		p.Nodes = append(p.Nodes, views[name])
	}

	counts := map[string]int64{}
	for _, t := range d.WorstFirst() {
		counts[t.Verdict]++
		p.Tables = append(p.Tables, setTable{Table: t, Name: t.Table.String(), Bad: isBad(t.Verdict), Report: t.DiffFile != "" && api.IsTaskID(t.TaskID)})
	}
	for _, verdict := range api.SetVerdicts() {
		if counts[verdict] > 0 {
			p.Counts = append(p.Counts, setCount{counts[verdict], setWord(verdict), isBad(verdict)})
		}
	}
	p.Compared = counts[api.SetIdentical] + counts[api.SetDifferent]
	p.Restricted = int64(d.Summary.Restricted)
	p.ToCompare = int64(len(d.Tables)) - counts[api.SetSkipped]

	for _, f := range d.Structure {
		p.Findings = append(p.Findings, setFinding{
			Object: f.Object, Kind: f.Kind, Rank: string(f.Rank), Detail: f.Detail, Bad: f.Rank == finding.Blocks || f.Rank == finding.Drifts,
			Nodes: nodeTexts(f.Nodes, views), Fix: nodeTexts(f.Fix, views),
		})
	}
	return p
}

// setOutcome returns the verdict as a part of the page's title, such as "matches".
func setOutcome(s setfile.Summary) string {
	switch s.Verdict {
	case api.VerdictMatch:
		return "matches"
	case api.VerdictDiffer:
		return "differs"
	}
	return "was not compared completely"
}

func isBad(verdict string) bool { return verdict != api.SetIdentical && verdict != api.SetSkipped }

// setWord returns the verdict of a table in words that can follow a count of tables.
func setWord(verdict string) string {
	switch verdict {
	case api.SetKeyless:
		return "without a key"
	case api.SetMissing:
		return "missing on a node"
	}
	return verdict
}

// nodeTexts returns the texts of a map from node to text, in the order of the nodes'
// names.
func nodeTexts(texts map[string]string, views map[string]nodeView) []nodeText {
	var list []nodeText
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		view, known := views[name]
		if !known {
			view = nodeView{Name: name}
		}
		list = append(list, nodeText{view, texts[name]})
	}
	return list
}
