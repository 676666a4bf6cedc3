package client

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"ace/shared/api"
	"ace/shared/difffile"
	"ace/shared/visible"
)

// diffResult is the result of a comparison or rerun. Summary has only the members that
// the commands print.
type diffResult struct {
	api.DiffResult
	Summary struct {
		Pairs     difffile.Pairs `json:"pairs"`
		Warnings  []string       `json:"warnings"`
		Unsettled int64          `json:"unsettled_rows"`
	} `json:"summary"`
}

// changes is the result of a repair or undo, with only the members that the commands
// print.
type changes struct {
	DryRun   bool                    `json:"dry_run"`
	Nodes    map[string]api.NodeUndo `json:"nodes"`
	Warnings []string                `json:"warnings"`
	// Rules, Undecided and UndecidedKeys are only in the result of a repair by rule.
	Rules         map[string]int64   `json:"rules"`
	Undecided     int64              `json:"undecided"`
	UndecidedKeys []api.UndecidedKey `json:"undecided_keys"`
}

// changesOf returns the result of a repair or undo. ok is false if the task has none.
func changesOf(t task) (result changes, ok bool) {
	if !isRepair(t) || len(t.Result) == 0 {
		return changes{}, false
	}
	return result, json.Unmarshal(t.Result, &result) == nil
}

func isRepair(t task) bool {
	return t.TaskType == api.TypeTableRepair || t.TaskType == api.TypeTableUndo
}

// diffOf returns the result of a comparison or rerun. ok is false if the task has none.
func diffOf(t task) (result diffResult, ok bool) {
	if isRepair(t) || isSet(t) || t.TaskType == api.TypeReplicationDiff || len(t.Result) == 0 {
		return diffResult{}, false
	}
	return result, json.Unmarshal(t.Result, &result) == nil
}

// differs reports whether the task found differences.
func (t task) differs() bool {
	if r, ok := replicationOf(t); ok {
		return r.Verdict != api.VerdictMatch
	}
	if r, ok := setOf(t); ok {
		return r.Verdict != api.VerdictMatch
	}
	d, ok := diffOf(t)
	return ok && d.Verdict != api.VerdictMatch
}

// total returns the number of rows that were changed, or that would be changed without
// dry_run.
func (c changes) total() (n int64) {
	for _, node := range c.Nodes {
		n += node.Inserted + node.Updated + node.Deleted
	}
	return n
}

// print prints the result of a task that has ended: as JSON, or as a short table.
func (s *session) print(ctx context.Context, t task) error {
	if s.cmd.Bool(flagJSON) {
		_, err := s.Stdout.Write(visible.JSON([]byte(strings.TrimSpace(string(t.raw)) + "\n")))
		return err
	}

	out := s.Stdout
	write(out, s.headline(t)+"\n")
	if t.Error != "" {
		writeLine(out, "%s", t.Error)
	}
	if d, ok := diffOf(t); ok {
		s.printDiff(t, d)
	}
	if c, ok := changesOf(t); ok {
		s.printChanges(t, c)
	}
	if r, ok := setOf(t); ok {
		s.printSet(ctx, t, r)
	}
	if r, ok := replicationOf(t); ok {
		s.printReplication(t, r)
	}
	return nil
}

// headline returns the first line of a result: the verdict, the table and the time.
func (s *session) headline(t task) string {
	verdict, color := t.Status, text.FgYellow
	switch {
	case t.Status == api.StatusFailed:
		color = text.FgRed
	case t.Status == api.StatusCompleted && isRepair(t):
		color = text.FgGreen
		if c, _ := changesOf(t); c.DryRun {
			verdict = "DRY RUN"
		}
	case t.Status == api.StatusCompleted && t.differs():
		verdict, color = "DIFFER", text.FgRed
	case t.Status == api.StatusCompleted:
		verdict, color = "MATCH", text.FgGreen
	}

	line := s.paint(verdict, color, text.Bold) + "  " + safe(t.subject())
	if d, ok := diffOf(t); ok && t.Status == api.StatusCompleted {
		rows := countRows(d.TotalRows)
		if d.Verdict != api.VerdictMatch {
			rows = humanize.Comma(d.MismatchedRows) + " of " + rows + " differ"
		}
		line += ": " + rows
	}
	if r, ok := setOf(t); ok {
		line += ": " + setHeadline(r)
	}
	if r, ok := replicationOf(t); ok {
		line += ": " + countFindings(r.Findings)
	}
	if t.TimeTaken != nil {
		line += ", " + seconds(float64(*t.TimeTaken))
	}
	return line + "  " + s.paint(t.TaskID, text.Faint)
}

// subject returns what a task compares or repairs, such as "public.users on demo".
func (t task) subject() string {
	if t.TaskType == api.TypeReplicationDiff {
		return "replication on " + t.ClusterName
	}
	return t.TableName + " on " + t.ClusterName
}

// paint returns value with codes for the colors. If colors are off (s.color is false), it
// returns value unchanged.
func (s *session) paint(value string, colors ...text.Color) string {
	if !s.color {
		return value
	}
	return text.Colors(colors).EscapeSeq() + value + text.Reset.EscapeSeq()
}

func (s *session) printDiff(t task, d diffResult) {
	if d.Verdict != api.VerdictMatch && len(d.Summary.Pairs) > 0 {
		rows := s.newTable("nodes", "only on the first", "only on the second", "different", "differing columns")
		for _, pair := range d.Summary.Pairs {
			rows.AppendRow(table.Row{
				safe(pair.Nodes[0] + " / " + pair.Nodes[1]), humanize.Comma(pair.OnlyOn[pair.Nodes[0]]), humanize.Comma(pair.OnlyOn[pair.Nodes[1]]),
				humanize.Comma(pair.Different), safe(columnCounts(pair.Columns)),
			})
		}
		rows.SetColumnConfigs(numbers(2, 3, 4))
		rows.Render()
	}

	if d.Summary.Unsettled > 0 {
		writeLine(s.Stdout, "note: %s still changed when last read; rerun to see whether they settle", countRows(d.Summary.Unsettled))
	}
	s.printWarnings(d.Summary.Warnings)
	if d.Verdict != api.VerdictMatch && t.Status == api.StatusCompleted {
		writeLine(s.Stdout, "The rows: ace show %s", t.TaskID)
	}
}

// columnCounts returns the columns that differ with their numbers of rows, the most
// frequent first, such as "city (12), email (3)". It names at most five columns.
func columnCounts(columns map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(columns), func(a, b string) int {
		if columns[a] != columns[b] {
			return int(columns[b] - columns[a])
		}
		return strings.Compare(a, b)
	})
	const most = 5
	texts := make([]string, 0, most+1)
	for i, name := range names {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(names)-most))
			break
		}
		texts = append(texts, fmt.Sprintf("%s (%s)", name, humanize.Comma(columns[name])))
	}
	return strings.Join(texts, ", ")
}

func (s *session) printChanges(t task, c changes) {
	rows := s.newTable("node", "inserted", "updated", "deleted", "unchanged", "skipped", "unrepairable", "outcome")
	for _, name := range slices.Sorted(maps.Keys(c.Nodes)) {
		node := c.Nodes[name]
		outcome := node.Outcome
		if node.Error != "" {
			outcome = strings.TrimSpace(outcome + " " + node.Error)
		}
		rows.AppendRow(table.Row{
			safe(name), humanize.Comma(node.Inserted), humanize.Comma(node.Updated), humanize.Comma(node.Deleted),
			humanize.Comma(node.Unchanged), humanize.Comma(node.Skipped), humanize.Comma(node.Unrepairable), safe(outcome),
		})
	}
	rows.SetColumnConfigs(numbers(2, 3, 4, 5, 6, 7))
	rows.Render()
	s.printRules(c)
	s.printUndecided(c)
	s.printWarnings(c.Warnings)
	if t.TaskType == api.TypeTableRepair && !c.DryRun && c.total() > 0 {
		writeLine(s.Stdout, "To undo: ace table-undo %s", t.TaskID)
	}
}

// printRules prints how many keys each rule decided, in the order of the rules.
func (s *session) printRules(c changes) {
	labels := slices.SortedFunc(maps.Keys(c.Rules), func(a, b string) int { return cmp.Compare(ruleNumber(a), ruleNumber(b)) })
	for _, label := range labels {
		by := label
		if ruleNumber(label) != unnumbered {
			by = "rule " + label
		}
		writeLine(s.Stdout, "decided by %s: %s", safe(by), humanize.Comma(c.Rules[label]))
	}
}

// unnumbered is the ruleNumber of a label that does not begin with a number.
const unnumbered = math.MaxInt

// ruleNumber returns the number at the beginning of a rule's label: 2 for "2 stock". It
// returns unnumbered for "otherwise" and for the name of a strategy.
func ruleNumber(label string) int {
	first, _, _ := strings.Cut(label, " ")
	if number, err := strconv.Atoi(first); err == nil {
		return number
	}
	return unnumbered
}

// printUndecided prints how many rows the rules did not decide, and the keys of the first
// ones.
func (s *session) printUndecided(c changes) {
	if c.Undecided == 0 {
		return
	}
	writeLine(s.Stdout, "undecided, left alone: %s", humanize.Comma(c.Undecided))
	const most = 10
	for i, key := range c.UndecidedKeys {
		if i == most {
			writeLine(s.Stdout, "  and more (task-status lists a hundred)")
			break
		}
		writeLine(s.Stdout, "  %s: %s", safe(strings.Join(key.Key, ", ")), safe(key.Reason))
	}
}

func (s *session) printWarnings(warnings []string) {
	for _, warning := range warnings {
		write(s.Stdout, s.paint("warning: ", text.FgYellow)+safe(warning)+"\n")
	}
}

// newTable returns an empty table that Render writes to Stdout.
func (s *session) newTable(header ...any) table.Writer {
	rows := table.NewWriter()
	rows.SetOutputMirror(s.Stdout)
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	style.Options = table.Options{SeparateColumns: true, SeparateHeader: true}
	if s.color {
		style.Color.Header = text.Colors{text.Bold}
	}
	rows.SetStyle(style)
	rows.AppendHeader(header)
	return rows
}

// numbers returns the configuration that aligns the given columns, counted from 1, to the
// right.
func numbers(columns ...int) []table.ColumnConfig {
	configs := make([]table.ColumnConfig, len(columns))
	for i, number := range columns {
		configs[i] = table.ColumnConfig{Number: number, Align: text.AlignRight, AlignHeader: text.AlignRight}
	}
	return configs
}
