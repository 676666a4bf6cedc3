package mcpserver

import (
	"context"
	"encoding/json"
	"time"

	"ace/shared/api"
	"ace/shared/retry"
)

const (
	// maxWait bounds the time that a tool waits for a task, because many clients stop
	// waiting for a tool after a minute.
	maxWait   = 50 * time.Second
	firstPoll = 50 * time.Millisecond
	slowPoll  = time.Second
	// maxResult is the maximum size in bytes of the result of a task in an answer. A larger
	// result is left out.
	maxResult = 64 << 10
)

type statusInput struct {
	TaskID      string `json:"task_id" jsonschema:"the id of a task, such as td_20240315_123456"`
	WaitSeconds int    `json:"wait_seconds,omitempty" jsonschema:"how long to wait for the end, at most 50; 0 by default"`
}

func (t *tools) taskStatus(ctx context.Context, in statusInput) (any, error) {
	return t.status(ctx, in.TaskID, in.WaitSeconds)
}

// answer is the state of a task as the tools return it.
type answer struct {
	TaskID    string         `json:"task_id"`
	Type      string         `json:"type"`
	Status    string         `json:"status"`
	Ended     bool           `json:"ended"`
	Cluster   string         `json:"cluster"`
	Table     string         `json:"table"`
	Submitted api.Time       `json:"submitted_at"`
	Error     string         `json:"error,omitempty"`
	Progress  *api.Progress  `json:"progress,omitempty"`
	Result    map[string]any `json:"result,omitempty"`
	Note      string         `json:"note,omitempty"`
}

// status waits until a task has ended, or until a number of seconds (at most maxWait) has
// passed. It returns the state of the task.
func (t *tools) status(ctx context.Context, id string, seconds int) (answer, error) {
	task, err := t.wait(ctx, id, min(time.Duration(max(seconds, 0))*time.Second, maxWait))
	if err != nil {
		return answer{}, err
	}
	return answerOf(task), nil
}

// wait waits until a task has ended, or until the next request would exceed the time
// limit. It returns the last state that it has read.
func (t *tools) wait(ctx context.Context, id string, limit time.Duration) (api.TaskStatus, error) {
	until := time.Now().Add(limit)
	for pause := firstPoll; ; pause = min(pause*3/2, slowPoll) {
		task, err := t.task(ctx, id)
		if err != nil || task.HasEnded() || time.Now().Add(pause).After(until) {
			return task, err
		}
		if err := retry.Sleep(ctx, pause); err != nil {
			return task, err
		}
	}
}

// task returns the state of a task.
func (t *tools) task(ctx context.Context, id string) (task api.TaskStatus, err error) {
	if err := api.CheckTaskID(id); err != nil {
		return task, err
	}
	err = t.read(ctx, api.RouteTaskStatus.Path(id), nil, &task)
	return task, err
}

func answerOf(task api.TaskStatus) answer {
	a := answer{
		TaskID: task.TaskID, Type: task.TaskType, Status: task.Status, Ended: task.HasEnded(), Cluster: task.ClusterName, Table: task.TableName,
		Submitted: task.SubmittedAt, Error: task.Error, Progress: task.Progress,
	}
	if len(task.Result) > maxResult {
		a.Note = "the result is too large to be shown here"
		return a
	}
	if json.Unmarshal(task.Result, &a.Result) != nil { // Unmarshal also fails if there is no result
		return a
	}
	if summary, ok := a.Result["summary"].(map[string]any); ok {
		for _, name := range unneeded() {
			delete(summary, name)
		}
	}
	return a
}

// unneeded returns the names of the members of a summary that an agent does not need.
// Without them, an answer uses less of the limited text that an agent can read.
func unneeded() []string {
	return []string{
		"task_id", "cluster_name", "schema", "table", "columns", "block_rows", "blocks", "mismatched_blocks", "strategy", "snapshots", "workers",
		"started_at", "finished_at", "timings", "server_versions", "servers",
	}
}
