package client

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"ace/shared/api"
	"ace/shared/setfile"
)

// shownTables is the maximum number of tables, and also of findings about structure, that
// are printed after a comparison of several tables. Skipped tables are not printed.
// Identical tables are printed only if just a part of their rows or columns was compared.
const shownTables = 40

// schemaDiff runs `ace schema-diff CLUSTER SCHEMA`.
func schemaDiff(ctx context.Context, s *session) error {
	args, err := s.args(2, 2, "CLUSTER SCHEMA")
	if err != nil {
		return err
	}
	params := s.params("schema-diff")
	params.Set("cluster_name", args[0])
	params.Set("schema_name", args[1])
	return s.start(ctx, api.RouteSchemaDiff, params)
}

// repsetDiff runs `ace repset-diff CLUSTER SET`.
func repsetDiff(ctx context.Context, s *session) error {
	args, err := s.args(2, 2, "CLUSTER SET")
	if err != nil {
		return err
	}
	params := s.params("repset-diff")
	params.Set("cluster_name", args[0])
	params.Set("repset_name", args[1])
	return s.start(ctx, api.RouteRepsetDiff, params)
}

func isSet(t task) bool { return api.IsSetType(t.TaskType) }

// setOf returns the result of a comparison of several tables. ok is false if the task has
// none.
func setOf(t task) (result api.SetResult, ok bool) {
	if !isSet(t) || len(t.Result) == 0 {
		return api.SetResult{}, false
	}
	return result, json.Unmarshal(t.Result, &result) == nil
}

// setHeadline returns the counts for the first line of the result, such as "2 different,
// 38 identical, 5 rows differ".
func setHeadline(r api.SetResult) string {
	line := r.Tables.Describe()
	if line == "" {
		line = "no table"
	}
	if r.MismatchedRows > 0 {
		line += ", " + countRows(r.MismatchedRows) + " differ"
	}
	var summary setfile.Summary
	if json.Unmarshal(r.Summary, &summary) == nil && summary.Restricted > 0 {
		line += ", only what is replicated of " + count(int64(summary.Restricted), "table")
	}
	if n := r.Findings.Blocks + r.Findings.Drifts + r.Findings.Differs; n > 0 {
		line += ", " + count(int64(n), "finding")
	}
	return line
}

// printSet prints the findings about structure, the tables that are not identical, and
// the tables of which only the replicated rows or columns were compared.
func (s *session) printSet(ctx context.Context, t task, r api.SetResult) {
	if r.DiffFile == "" {
		return
	}
	if err := s.showSet(ctx, t.TaskID); err != nil {
		writeLine(s.Stderr, "the document cannot be read: %v", err)
	}
}

// showSet prints the document of a comparison of several tables.
func (s *session) showSet(ctx context.Context, taskID string) error {
	var raw bytes.Buffer
	if err := s.server.download(ctx, fileAddress(api.RouteDiff, taskID, nil), &raw); err != nil {
		return err
	}
	document, err := setfile.Read(&raw)
	if err != nil {
		return err
	}
	s.printSetTables(document)
	s.printFindings(document)
	if len(document.Tables) > 0 {
		writeLine(s.Stdout, "All tables: ace get %s --format csv", taskID)
	}
	return nil
}

func (s *session) printSetTables(document setfile.Document) {
	rows := s.newTable("table", "result", "rows", "differing", "task", "remarks")
	printed, left := 0, 0
	for _, one := range document.WorstFirst() {
		if one.Verdict == api.SetIdentical && !one.IsRestricted() || one.Verdict == api.SetSkipped {
			continue
		}
		if printed == shownTables {
			left++
			continue
		}
		printed++
		rows.AppendRow(table.Row{
			safe(one.Table.String()), s.paint(one.Verdict, colorOfTable(one)), countIf(one.DiffFile != "", one.TotalRows),
			countIf(one.DiffFile != "", one.MismatchedRows), one.TaskID, remarksOf(one),
		})
	}
	if printed == 0 {
		return
	}
	rows.SetColumnConfigs(numbers(3, 4))
	rows.Render()
	if left > 0 {
		writeLine(s.Stdout, "and %d more", left)
	}
}

func colorOfTable(t setfile.Table) text.Color {
	if t.Verdict == api.SetIdentical {
		return text.FgGreen
	}
	return text.FgRed
}

// remarksOf returns why a table was not compared, and which of its rows and columns were
// compared.
func remarksOf(t setfile.Table) string {
	remarks := firstLine(safe(t.Error))
	if restriction := cut(safe(t.Restriction()), 80); remarks != "" && restriction != "" {
		remarks += "; " + restriction
	} else {
		remarks += restriction
	}
	return remarks
}

func (s *session) printFindings(document setfile.Document) {
	if len(document.Structure) == 0 {
		return
	}
	rows := s.newTable("rank", "kind", "object", "remarks")
	for i, f := range document.Structure {
		if i == shownTables {
			break
		}
		rows.AppendRow(table.Row{safe(string(f.Rank)), safe(f.Kind), safe(f.Object), firstLine(safe(f.Detail))})
	}
	rows.Render()
	if left := len(document.Structure) - shownTables; left > 0 {
		writeLine(s.Stdout, "and %d more", left)
	}
}

// countIf returns n with thousands separators, or "" if known is false.
func countIf(known bool, n int64) string {
	if !known {
		return ""
	}
	return humanize.Comma(n)
}

// firstLine returns the first line of a remark, cut off so that it fits in a column of a
// printed table.
func firstLine(remark string) string {
	remark, _, _ = strings.Cut(remark, "\n")
	return cut(remark, 80)
}
