package client

import (
	"context"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"ace/shared/api"
)

// tables runs `ace tables CLUSTER`. The exit status is ExitFailed if the catalog of a
// node could not be read.
func tables(ctx context.Context, s *session) error {
	args, err := s.args(1, 1, "CLUSTER, the name of a cluster")
	if err != nil {
		return err
	}
	params := s.params("tables")
	params.Set("cluster_name", args[0])
	raw, err := s.server.get(ctx, string(api.RouteTables), params)
	if err != nil {
		return err
	}
	var list api.TableList
	if err := decode(raw, string(api.RouteTables), &list); err != nil {
		return err
	}

	if s.cmd.Bool(flagJSON) {
		writeJSON(s.Stdout, raw)
	} else {
		s.printTables(list)
	}
	if len(list.UnreadNodes) > 0 {
		return &ExitError{Status: ExitFailed}
	}
	return nil
}

func (s *session) printTables(list api.TableList) {
	rows := s.newTable("table", "rows", "key", "missing on", "last compared", "verdict", "differing", "task")
	for _, one := range list.Tables {
		estimate, key := "", "none"
		if one.EstimatedRows != nil {
			estimate = "~" + humanize.Comma(*one.EstimatedRows)
		}
		if len(one.Key) > 0 {
			key = strings.Join(one.Key, ", ")
		}
		row := table.Row{safe(one.TableName), estimate, safe(key), safe(strings.Join(one.MissingOn, ", "))}
		rows.AppendRow(append(row, s.comparisonCells(one.LastComparison)...))
	}
	rows.SetColumnConfigs(numbers(2, 7))
	rows.Render()

	for _, one := range list.Tables {
		if one.NoKey != "" {
			writeLine(s.Stdout, "note: %s cannot be compared: %s", one.TableName, one.NoKey)
		}
	}
	for _, node := range list.UnreadNodes {
		s.printError(node.Error)
	}
	if len(list.UnreadNodes) == 0 && list.Next == "" {
		s.noteNone(len(list.Tables), "table")
	}
	s.more(list.Next)
}

// comparisonCells returns the cells that describe the last comparison of a table.
func (s *session) comparisonCells(last *api.LastComparison) table.Row {
	if last == nil {
		return table.Row{"never", "", "", ""}
	}

	color := text.FgGreen
	if last.Verdict != api.VerdictMatch {
		color = text.FgRed
	}
	verdict := s.paint(safe(last.Verdict), color)
	if limits := limitsOf(*last); len(limits) > 0 {
		verdict += " (" + strings.Join(limits, ", ") + ")"
	}
	return table.Row{age(last.FinishedAt), verdict, humanize.Comma(last.MismatchedRows), safe(last.TaskID)}
}

// limitsOf returns, in a few words each, the reasons why the verdict of a comparison is
// not about the whole table on all nodes, such as "filtered".
func limitsOf(last api.LastComparison) []string {
	var limits []string
	if last.TaskType == api.TypeTableRerun {
		limits = append(limits, "rerun")
	}
	if last.TableFilter != "" {
		limits = append(limits, "filtered")
	}
	if len(last.Nodes) > 0 {
		limits = append(limits, "nodes "+safe(strings.Join(last.Nodes, " ")))
	}
	if len(last.IgnoreColumns) > 0 {
		limits = append(limits, "columns ignored")
	}
	return limits
}
