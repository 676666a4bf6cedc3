package emf_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ace/shared/emf"
	"ace/shared/task"
)

var update = flag.Bool("update", false, "write the golden files")

var started, finished = time.Unix(1_700_000_000, 0), time.Unix(1_700_000_007, 250_000_000)

// comparison returns the record of a completed comparison.
func comparison() task.Record {
	return task.Record{
		TaskID: "td_20240315_123456", Type: task.TableDiff, Status: task.Completed, StartedAt: &started, FinishedAt: &finished,
		ClusterName: "demo", DBName: "shop", TableName: `public."größe"`, Parameters: json.RawMessage(`{}`), Document: &task.Document{Key: "diffs/x.json"},
		Result: json.RawMessage(`{"verdict":"differ","mismatched_rows":5,"summary":{"unsettled_rows":2}}`),
	}
}

// all writes a line of each kind.
func all(w *emf.Writer) {
	w.TaskCreated(task.Record{TaskID: "td_20240315_123456", Type: task.TableDiff})
	w.TaskEnded(comparison())
	rerun := comparison()
	rerun.Type, rerun.Input = task.TableRerun, &task.Document{Key: "diffs/y.json"}
	w.TaskEnded(rerun)
	w.TaskEnded(task.Record{TaskID: "tu_20240315_123456", Type: task.TableUndo, Status: task.Cancelled, FinishedAt: &finished, Error: "a secret"})
	w.RowsCompared(200)
	w.RowsCompared(0) // no line
	w.LeaseLost()
}

var timestamp = regexp.MustCompile(`"Timestamp":[0-9]{13}\b`)

func TestWriter_WritesTheseLines(t *testing.T) {
	var out bytes.Buffer
	all(emf.New(&out, "ace-stack"))
	if n := len(timestamp.FindAllString(out.String(), -1)); n != 6 {
		t.Errorf("%d lines have a time", n)
	}
	got := timestamp.ReplaceAllString(out.String(), `"Timestamp":0`)

	path := filepath.Join("testdata", "lines.jsonl")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the lines are\n%s\nwant\n%s", got, want)
	}
}

// The rules are those of CloudWatch's specification of the embedded metric format.
func TestWriter_KeepsTheRulesOfTheFormat(t *testing.T) {
	var out bytes.Buffer
	all(emf.New(&out, "ace-stack"))
	for line := range strings.Lines(out.String()) {
		var members map[string]any
		var format struct {
			AWS struct {
				Timestamp         int64
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name, Unit string }
				}
			} `json:"_aws"`
		}
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(line), &format); err != nil {
			t.Fatal(err)
		}
		if len(format.AWS.CloudWatchMetrics) == 0 || format.AWS.Timestamp == 0 {
			t.Errorf("no metrics in %s", line)
		}
		for _, d := range format.AWS.CloudWatchMetrics {
			if d.Namespace != "ace-stack" || len(d.Dimensions) == 0 || len(d.Metrics) == 0 {
				t.Errorf("a directive is incomplete: %+v", d)
			}
			for _, m := range d.Metrics {
				if _, ok := members[m.Name].(float64); !ok {
					t.Errorf("the metric %s has no number in %s", m.Name, line)
				}
			}
			for _, name := range slices.Concat(d.Dimensions...) {
				value, _ := members[name].(string)
				if name == "task_id" || value == "" || len(value) > 1024 || regexp.MustCompile(`[^ -~]`).MatchString(value) {
					t.Errorf("the dimension %s is %q in %s", name, value, line)
				}
			}
		}
	}
}

func TestWriter_ThatIsNilWritesNothing(*testing.T) {
	var none *emf.Writer
	all(none)
}
