package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"ace/infra/testbed"
	"ace/shared/api"
	"ace/shared/task"
)

// outcome is the part of a task's result that the benchmark reports.
type outcome struct {
	rows, differs int64
	summary       struct {
		Strategy string             `json:"strategy"`
		Baseline string             `json:"baseline"`
		Timings  map[string]float64 `json:"timings"`
	}
}

// once compares the table. If c.Follow is set, it then runs c.Heal, and the task c.Follow
// on the document of the comparison. It returns the duration in seconds and the outcome
// of the last task.
func (b *bench) once(ctx context.Context, c benchCase, s *testbed.Service) (float64, outcome, error) {
	args := "cluster_name=bench&quiet=true&table_name=public." + c.Table
	path := "/ace/table-diff?confirm_delay=0&" + args
	if c.CPUs > 0 {
		path += "&max_cpu_ratio=1"
	}
	if c.SequentialScan != "" {
		path += "&sequential_scan=" + c.SequentialScan
	}
	if c.Incremental {
		path += "&baseline=last"
	}
	status, err := finish(ctx, s, path)
	if err == nil && c.Heal != "" {
		_, err = b.nodes.One(ctx, 1, "-c", c.Heal)
	}
	if err == nil && c.Follow != "" {
		path := "/ace/" + c.Follow + "?" + args + "&diff_file=" + url.QueryEscape(status.TaskID) + c.Args
		if c.Rules != "" {
			sum := sha256.Sum256([]byte(c.Rules))
			path += "&rules=" + hex.EncodeToString(sum[:])
			err = s.Post(ctx, "/ace/rules", c.Rules)
		}
		if err == nil {
			status, err = finish(ctx, s, path)
		}
	}
	if err != nil {
		return 0, outcome{}, err
	}
	done, err := outcomeOf(c, status)
	return status.FinishedAt.Sub(status.SubmittedAt.Time).Seconds(), done, err
}

func outcomeOf(c benchCase, status api.TaskStatus) (done outcome, err error) {
	if c.Follow == repair {
		var repaired api.RepairResult
		if err := json.Unmarshal(status.Result, &repaired); err != nil {
			return done, err
		}
		for _, n := range repaired.Nodes {
			done.differs += n.Inserted + n.Updated + n.Deleted
		}
		done.rows = done.differs
		return done, nil
	}
	var diff api.DiffResult
	if err := json.Unmarshal(status.Result, &diff); err != nil {
		return done, err
	}
	done.rows, done.differs = diff.TotalRows, diff.MismatchedRows
	return done, json.Unmarshal(diff.Summary, &done.summary)
}

// finish submits a task and waits for its end.
func finish(ctx context.Context, s *testbed.Service, path string) (status api.TaskStatus, err error) {
	var submitted api.Submitted
	if err := get(ctx, s, path, &submitted); err != nil {
		return status, err
	}
	for {
		status = api.TaskStatus{}
		err := get(ctx, s, "/ace/task-status/"+submitted.TaskID, &status)
		switch {
		case err != nil:
			return status, err
		case status.Status == api.StatusCompleted:
			return status, nil
		case task.Status(status.Status).Terminal():
			return status, fmt.Errorf("task %s ended %s: %s", submitted.TaskID, status.Status, status.Error)
		}
		select {
		case <-ctx.Done():
			return status, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

func get(ctx context.Context, s *testbed.Service, path string, into any) error {
	body, err := s.Get(ctx, path)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}
