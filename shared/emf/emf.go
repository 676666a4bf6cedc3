// Package emf writes the metrics of tasks as lines of JSON in CloudWatch's embedded
// metric format. The Lambda functions write these lines to their log, from which
// CloudWatch extracts the metrics.
//
// A line has the id of its task, but no dimension contains a task id or an error.
package emf

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"ace/shared/measure"
	"ace/shared/task"
)

// The names of the metrics.
const (
	TasksSubmitted = "TasksSubmitted"
	TasksEnded     = "TasksEnded"
	TaskSeconds    = "TaskSeconds"
	DifferingRows  = "DifferingRows"
	UnsettledRows  = "UnsettledRows"
	RowsCompared   = "RowsCompared"
	LeaseLosses    = "LeaseLosses"
)

// scopeRerun is the value of the dimension scope for a rerun, which covers only the rows
// of a document.
const scopeRerun = "rerun"

// Writer writes metrics. It is safe for concurrent use. A nil Writer writes nothing.
type Writer struct {
	namespace string
	now       func() time.Time

	mu  sync.Mutex
	out io.Writer
}

// New returns a Writer of metrics in a namespace of CloudWatch.
func New(out io.Writer, namespace string) *Writer {
	return &Writer{namespace: namespace, now: time.Now, out: out}
}

// directive names the members of a line that are metrics, and those that are their
// dimensions.
type directive struct {
	Namespace  string     `json:"Namespace"`
	Dimensions [][]string `json:"Dimensions"` // each combination becomes a metric of its own
	Metrics    []metric   `json:"Metrics"`
}

type metric struct {
	Name string `json:"Name"`
	Unit string `json:"Unit"`
}

func count(name string) metric { return metric{Name: name, Unit: "Count"} }

// TaskCreated implements task.Observer.
func (w *Writer) TaskCreated(rec task.Record) {
	w.write(map[string]any{"task_id": rec.TaskID, "type": rec.Type, TasksSubmitted: 1}, directive{
		Dimensions: [][]string{{"type"}}, Metrics: []metric{count(TasksSubmitted)},
	})
}

// TaskEnded implements task.Observer.
func (w *Writer) TaskEnded(rec task.Record) {
	line := map[string]any{"task_id": rec.TaskID, "type": rec.Type, "status": rec.Status, TasksEnded: 1}
	ended := directive{Dimensions: [][]string{{"type", "status"}}, Metrics: []metric{count(TasksEnded)}}
	if rec.StartedAt != nil && rec.FinishedAt != nil {
		line[TaskSeconds] = rec.FinishedAt.Sub(*rec.StartedAt).Seconds()
		ended.Metrics = append(ended.Metrics, metric{Name: TaskSeconds, Unit: "Seconds"})
	}

	c, ok := measure.ComparisonOf(rec)
	if !ok {
		w.write(line, ended)
		return
	}
	line["cluster"], line["database"], line["table"] = ascii(c.ClusterName), ascii(c.DBName), ascii(c.TableName)
	line["scope"], line["verdict"] = string(c.Scope), c.Verdict
	if c.RerunOf != "" {
		line["scope"] = scopeRerun
	}
	line[DifferingRows], line[UnsettledRows] = c.DifferingRows, c.UnsettledRows
	// Both metrics are written for each table and without dimensions. Without dimensions
	// they cover all tables, so that one alarm suffices for all of them.
	w.write(line, ended, directive{
		Dimensions: [][]string{{}, {"cluster", "database", "table", "scope"}},
		Metrics:    []metric{count(DifferingRows), count(UnsettledRows)},
	})
}

// RowsCompared writes the number of rows that a run has compared on all nodes.
func (w *Writer) RowsCompared(rows int64) {
	if rows > 0 {
		w.write(map[string]any{RowsCompared: rows}, directive{Dimensions: [][]string{{}}, Metrics: []metric{count(RowsCompared)}})
	}
}

// LeaseLost writes that a run stopped because it lost its lease.
func (w *Writer) LeaseLost() {
	w.write(map[string]any{LeaseLosses: 1}, directive{Dimensions: [][]string{{}}, Metrics: []metric{count(LeaseLosses)}})
}

// write adds the members of the format to a line and writes the line. An error of writing
// is ignored: a task must not depend on its metrics.
func (w *Writer) write(line map[string]any, directives ...directive) {
	if w == nil {
		return
	}
	for i := range directives {
		directives[i].Namespace = w.namespace
	}
	line["_aws"] = map[string]any{"Timestamp": w.now().UnixMilli(), "CloudWatchMetrics": directives}
	body, err := json.Marshal(line)
	if err != nil {
		return
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.out.Write(append(body, '\n'))
}

// ascii returns a text that is allowed as the value of a dimension: other characters than
// those of ASCII are escaped as in \u00e4.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < ' ' || r > '~' {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
