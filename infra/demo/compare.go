package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"ace/infra/testbed"
	"ace/shared/api"
	"ace/shared/difffile"
)

const pollEvery = 100 * time.Millisecond

const table = "cluster_name=demo&table_name=public.customers"

// compare submits a table-diff, follows it and shows its result. It returns the task's
// id.
func compare(ctx context.Context, s *testbed.Service) (taskID string, err error) {
	say("Comparing the table on all nodes")
	status, err := submit(ctx, s, "/ace/table-diff?"+table+"&block_rows=1000")
	if err != nil {
		return "", err
	}
	if err := showVerdict(status); err != nil {
		return "", err
	}
	return status.TaskID, showDocument(ctx, s, status.TaskID)
}

// rerun compares the rows of a document again.
func rerun(ctx context.Context, s *testbed.Service, document string) error {
	status, err := submit(ctx, s, "/ace/table-rerun?"+table+"&diff_file="+document)
	if err != nil {
		return err
	}
	return showVerdict(status)
}

// submit sends a request that starts a task, and follows the task to its end.
func submit(ctx context.Context, s *testbed.Service, path string) (api.TaskStatus, error) {
	var submitted api.Submitted
	body, err := s.Show(ctx, path, &submitted)
	if err != nil {
		return api.TaskStatus{}, err
	}
	fmt.Print(string(body))
	return follow(ctx, s, submitted.TaskID)
}

func showVerdict(status api.TaskStatus) error {
	var result api.DiffResult
	if err := json.Unmarshal(status.Result, &result); err != nil {
		return err
	}
	fmt.Printf("%s in %.2f s: %d rows, %d differ; the document is %s\n", status.Status, *status.TimeTaken, result.TotalRows, result.MismatchedRows, result.DiffFile)
	return nil
}

// follow prints the task's progress until it has ended.
func follow(ctx context.Context, s *testbed.Service, taskID string) (api.TaskStatus, error) {
	var status api.TaskStatus
	path := "/ace/task-status/" + taskID
	if _, err := s.Show(ctx, path, &status); err != nil {
		return status, err
	}
	shown := ""
	for {
		if p := status.Progress; p != nil {
			line := fmt.Sprintf("%s: %s, block %d of %d, %d rows compared", status.Status, p.Phase, p.BlocksDone, p.BlocksTotal, p.RowsCompared)
			if p.TablesTotal > 0 {
				line = fmt.Sprintf("%s: %s, table %d of %d, %d rows compared", status.Status, p.Phase, p.TablesDone, p.TablesTotal, p.RowsCompared)
			}
			if line != shown {
				fmt.Println(line)
				shown = line
			}
		}
		switch status.Status {
		case api.StatusCompleted:
			return status, nil
		case api.StatusFailed, api.StatusCancelled:
			return status, fmt.Errorf("task %s ended %s: %s", taskID, status.Status, status.Error)
		}
		select {
		case <-ctx.Done():
			return status, ctx.Err()
		case <-time.After(pollEvery):
		}
		body, err := s.Get(ctx, path)
		if err != nil {
			return status, err
		}
		status = api.TaskStatus{}
		if err := json.Unmarshal(body, &status); err != nil {
			return status, err
		}
	}
}

// showDocument fetches the archived document and prints its rows side by side.
func showDocument(ctx context.Context, s *testbed.Service, taskID string) error {
	say("The archived document, fetched back: every differing row, pair by pair")
	path := "/ace/diffs/" + taskID
	fmt.Printf("\n$ curl '%s%s'\n", s.URL, path)
	body, err := s.Get(ctx, path)
	if err != nil {
		return err
	}
	reader, err := difffile.Open(bytes.NewReader(body))
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	names := []string{"PAIR", "NODE"}
	for _, column := range reader.Summary().Columns {
		names = append(names, column.Name)
	}
	fmt.Fprintln(out, strings.Join(names, "\t"))
	for entry, err := range reader.Rows() {
		if err != nil {
			return err
		}
		cells := []string{entry.Pair.String(), entry.Node}
		for _, value := range entry.Row {
			cells = append(cells, cell(value))
		}
		fmt.Fprintln(out, strings.Join(cells, "\t"))
	}
	return out.Flush()
}

func cell(value *string) string {
	if value == nil {
		return "NULL"
	}
	return *value
}
