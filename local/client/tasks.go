package client

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"

	"ace/shared/api"
)

const flagWatch = "watch"

// status runs `ace status ID`: it prints a task. With --watch it first waits until the
// task has ended.
func status(ctx context.Context, s *session) error {
	args, err := s.args(1, 1, "TASK, the id of a task")
	if err != nil {
		return err
	}
	t, err := s.server.status(ctx, args[0])
	if err != nil {
		return err
	}
	if s.cmd.Bool(flagWatch) && !t.HasEnded() {
		if t, err = s.wait(ctx, args[0]); err != nil {
			return err
		}
	}
	if err := s.print(ctx, t); err != nil {
		return err
	}
	if !s.cmd.Bool(flagJSON) && t.RequestedBy != nil {
		writeLine(s.Stdout, "requested by %s", safe(t.RequestedBy.String()))
	}
	if t.HasEnded() {
		return exitOf(t)
	}
	if !s.cmd.Bool(flagJSON) && t.Progress != nil {
		writeLine(s.Stdout, "%s: %s", phaseOf(t), figuresOf(t))
	}
	return nil
}

// cancel runs `ace cancel ID`: it requests the cancellation of a task and waits until the
// task has ended.
func cancel(ctx context.Context, s *session) error {
	args, err := s.args(1, 1, "TASK, the id of a task")
	if err != nil {
		return err
	}
	if err := s.server.cancel(ctx, args[0]); err != nil {
		return err
	}
	t, err := s.wait(ctx, args[0])
	if err != nil {
		return err
	}
	if err := s.print(ctx, t); err != nil {
		return err
	}
	if t.Status == api.StatusCancelled {
		return nil
	}
	return &ExitError{ExitFailed, "the task ended before it was cancelled"}
}

// tasks runs `ace tasks`.
func tasks(ctx context.Context, s *session) error {
	if _, err := s.args(0, 0, "no argument"); err != nil {
		return err
	}
	var list api.TaskList
	done, err := s.list(ctx, api.RouteTasks, "tasks", &list)
	if done || err != nil {
		return err
	}

	rows := s.newTable("task", "type", "table", "status", "submitted", "by", "time", "result")
	for _, one := range list.Tasks {
		t := task{TaskStatus: one}
		took := ""
		if one.TimeTaken != nil {
			took = seconds(float64(*one.TimeTaken))
		}
		by := ""
		if one.RequestedBy != nil {
			by = one.RequestedBy.Caller
		}
		rows.AppendRow(table.Row{one.TaskID, one.TaskType, safe(one.ClusterName + " " + one.TableName), one.Status, age(one.SubmittedAt), safe(by), took, outcomeOf(t)})
	}
	rows.Render()
	s.notShown(list.Unreadable)
	s.more(list.Next)
	return nil
}

// outcomeOf returns the result of a task in a few words.
func outcomeOf(t task) string {
	if r, ok := replicationOf(t); ok && t.Status == api.StatusCompleted {
		return r.Verdict + ", " + countFindings(r.Findings)
	}
	if d, ok := diffOf(t); ok && t.Status == api.StatusCompleted {
		if d.Verdict == api.VerdictMatch {
			return "match"
		}
		return humanize.Comma(d.MismatchedRows) + " differ"
	}
	if c, ok := changesOf(t); ok {
		text := countRows(c.total()) + " changed"
		if c.DryRun {
			text = countRows(c.total()) + " to change"
		}
		return text
	}
	if r, ok := setOf(t); ok {
		return setHeadline(r)
	}
	return cut(safe(t.Error), 60)
}

// diffs runs `ace diffs`.
func diffs(ctx context.Context, s *session) error {
	if _, err := s.args(0, 0, "no argument"); err != nil {
		return err
	}
	var list api.DiffList
	done, err := s.list(ctx, api.RouteDiffs, "diffs", &list)
	if done || err != nil {
		return err
	}

	rows := s.newTable("task", "table", "finished", "verdict", "rows", "differing", "size")
	for _, one := range list.Diffs {
		rows.AppendRow(table.Row{
			one.TaskID, safe(one.ClusterName + " " + one.TableName), age(one.FinishedAt), one.Verdict,
			humanize.Comma(one.TotalRows), humanize.Comma(one.MismatchedRows), humanize.Bytes(uint64(one.Size)),
		})
	}
	rows.SetColumnConfigs(numbers(5, 6, 7))
	rows.Render()
	s.notShown(list.Unreadable)
	s.more(list.Next)
	return nil
}

// list fetches one page of a list. With --json it prints the page and returns true;
// otherwise it decodes the page to into.
func (s *session) list(ctx context.Context, route api.Route, operation string, into any) (done bool, err error) {
	raw, err := s.server.get(ctx, string(route), s.params(operation))
	if err != nil {
		return false, err
	}
	return s.printJSON(route, raw, into)
}

// printJSON prints an answer and returns true with --json; otherwise it decodes the
// answer to into.
func (s *session) printJSON(route api.Route, raw []byte, into any) (done bool, err error) {
	if s.cmd.Bool(flagJSON) {
		writeJSON(s.Stdout, raw)
		return true, nil
	}
	return false, decode(raw, string(route), into)
}

// notShown prints which tasks a list lacks because they cannot be read.
func (s *session) notShown(tasks []api.UnreadableTask) {
	for _, u := range tasks {
		writeLine(s.Stderr, "Task %s is not shown: %s", safe(u.TaskID), safe(u.Reason))
	}
}

// more prints how to read the next page of a list. If next is empty, there is no next
// page, and more prints nothing.
func (s *session) more(next string) {
	if next != "" {
		writeLine(s.Stderr, "There are more: --after %s", url.QueryEscape(next))
	}
}

// age formats a time in UTC together with its age, such as "2024-03-15 12:34:56 (5 min
// ago)". It returns "" for the zero time.
func age(t api.Time) string {
	if t.IsZero() {
		return ""
	}
	since := time.Since(t.Time)
	stamp := t.UTC().Format("2006-01-02 15:04:05")
	switch {
	case since < time.Minute:
		return stamp + " (now)"
	case since < time.Hour:
		return fmt.Sprintf("%s (%d min ago)", stamp, int(since.Minutes()))
	case since < 48*time.Hour:
		return fmt.Sprintf("%s (%d h ago)", stamp, int(since.Hours()))
	}
	return fmt.Sprintf("%s (%d days ago)", stamp, int(since.Hours()/24))
}
