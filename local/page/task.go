package page

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/difffile"
)

// taskView is the input of the template that shows a task.
type taskView struct {
	api.TaskStatus
	Ended      bool
	Comparison bool
	Diff       *api.DiffResult   // the result of a comparison of one table, if it has one
	Summary    *difffile.Summary // the summary in Diff; nil if Diff is nil
	Changes    *changes          // the result of a repair or undo, if it has one
	Other      *otherResult      // the result of a task of another type, if it has one
	Parameters []parameter
	Source     string        // the task id that diff_file or task_id names; "" if none
	Repair     *repairForm   // nil unless the rows of this comparison can be repaired
	Confirm    *confirmation // nil unless this is a dry run that can be carried out
	MayCancel  bool
}

// allow removes the forms for what the caller of the page may not do.
func (t *taskView) allow(by caller.Caller) {
	own := t.RequestedBy != nil && t.RequestedBy.Caller == by.Name
	t.MayCancel = by.May(api.RightRepair) || own && by.May(api.TaskRight(t.TaskType))
	if !by.May(api.RightRepair) {
		t.Repair, t.Confirm = nil, nil
	}
}

// parameter is a parameter of a task whose value is neither empty nor false.
type parameter struct{ Name, Value string }

// changes is the result of a repair or undo.
type changes struct {
	DryRun   bool
	Undo     bool
	Source   string // the source of truth; "" for an undo
	Nodes    []nodeChanges
	Total    int64
	Warnings []string
	Report   bool
}

// nodeChanges is what a repair or undo changed on a node, or would change.
type nodeChanges struct {
	Node string
	api.NodeUndo
}

// Total returns the number of rows that were changed, or would be.
func (n nodeChanges) Total() int64 { return n.Inserted + n.Updated + n.Deleted }

func (p *Page) showTask(w http.ResponseWriter, r *http.Request) error {
	t, err := p.readTask(r)
	if err != nil {
		return err
	}

	t.allow(caller.Of(r.Context()))
	subject := t.TableName
	if t.TaskType == api.TypeReplicationDiff {
		subject = t.ClusterName
	}
	v := p.view(r, kindOf(t.TaskType)+" of "+subject, "tasks", t)
	if !t.Ended {
		v.Watch = "/events?task=" + t.TaskID
	}
	if t.Summary == nil {
		return p.show(w, http.StatusOK, "task", v)
	}
	return p.showComparison(w, r, v, t)
}

// readTask returns what the page of the task in the path shows.
func (p *Page) readTask(r *http.Request) (*taskView, error) {
	status, err := p.status(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return p.taskView(status)
}

// taskView returns what the page of a task shows, without the differing rows, which
// showComparison reads from the document.
func (p *Page) taskView(status api.TaskStatus) (*taskView, error) {
	t := &taskView{TaskStatus: status, Ended: status.HasEnded(), Comparison: isComparison(status.TaskType)}
	t.Parameters, t.Source = parameters(status)
	switch {
	case len(status.Result) == 0:
	case t.Comparison:
		t.Diff, t.Summary = &api.DiffResult{}, &difffile.Summary{}
		if err := json.Unmarshal(status.Result, t.Diff); err != nil {
			return nil, fmt.Errorf("the result of task %s: %w", status.TaskID, err)
		}
		if err := json.Unmarshal(t.Diff.Summary, t.Summary); err != nil {
			return nil, fmt.Errorf("the summary of task %s: %w", status.TaskID, err)
		}
		if status.Status == api.StatusCompleted && t.Diff.MismatchedRows > 0 {
			t.Repair = newRepairForm(t.Summary)
		}
	case status.TaskType == api.TypeTableRepair || status.TaskType == api.TypeTableUndo:
		var err error
		if t.Changes, err = readChanges(status); err != nil {
			return nil, fmt.Errorf("the result of task %s: %w", status.TaskID, err)
		}
		t.Confirm = newConfirmation(t)
	default:
		t.Other = &otherResult{}
		if err := t.Other.decode(status.Result); err != nil {
			return nil, fmt.Errorf("the result of task %s: %w", status.TaskID, err)
		}
	}
	return t, nil
}

// otherResult is the result of a task that is neither a comparison nor a repair or undo
// of one table. The page shows it as JSON.
type otherResult struct {
	Document bool // the task has a document
	Report   bool // the task has a report, such as the document of a replication-diff
	// Restricted is the number of tables of which only the replicated rows or columns were
	// compared.
	Restricted int64
	Fields     json.RawMessage // the result without its summary, which the document also has
}

func (o *otherResult) decode(raw json.RawMessage) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	o.Document, o.Report = len(fields["diff_file"]) > 0, len(fields["report_file"]) > 0
	if raw := fields["summary"]; raw != nil {
		var summary struct {
			Restricted int64 `json:"restricted"`
		}
		if err := json.Unmarshal(raw, &summary); err != nil {
			return err
		}
		o.Restricted = summary.Restricted
	}
	delete(fields, "summary")
	var err error
	o.Fields, err = json.Marshal(fields)
	return err
}

// readChanges decodes the result of a repair or undo.
func readChanges(status api.TaskStatus) (*changes, error) {
	var result struct {
		SourceOfTruth string                  `json:"source_of_truth"`
		DryRun        bool                    `json:"dry_run"`
		Nodes         map[string]api.NodeUndo `json:"nodes"`
		ReportFile    string                  `json:"report_file"`
		Warnings      []string                `json:"warnings"`
	}
	if err := json.Unmarshal(status.Result, &result); err != nil {
		return nil, err
	}
	c := &changes{
		DryRun: result.DryRun, Undo: status.TaskType == api.TypeTableUndo, Source: result.SourceOfTruth,
		Warnings: result.Warnings, Report: result.ReportFile != "",
	}
	for _, node := range slices.Sorted(maps.Keys(result.Nodes)) {
		n := nodeChanges{node, result.Nodes[node]}
		c.Nodes = append(c.Nodes, n)
		c.Total += n.Total()
	}
	return c, nil
}

// parameters returns the parameters of a task that are neither empty nor false, sorted by
// name. source is the id of the task that the parameter diff_file or task_id names, or
// "".
func parameters(status api.TaskStatus) (list []parameter, source string) {
	var values map[string]any
	if json.Unmarshal(status.Parameters, &values) != nil {
		return nil, ""
	}
	for name, value := range values {
		text := ""
		switch value := value.(type) {
		case nil:
		case []any:
			var items []string
			for _, item := range value {
				items = append(items, fmt.Sprint(item))
			}
			text = strings.Join(items, ", ")
		case float64:
			text = strconv.FormatFloat(value, 'f', -1, 64)
		case bool:
			if value {
				text = "true"
			}
		default:
			text = fmt.Sprint(value)
		}
		if text != "" {
			list = append(list, parameter{name, text})
		}
		if name == "diff_file" || name == "task_id" {
			source = text
		}
	}
	slices.SortFunc(list, func(a, b parameter) int { return cmp.Compare(a.Name, b.Name) })
	return list, taskOf(source)
}

// taskOf returns the id of the task that a diff_file names, or "" if it names none. The
// diff_file may be a task id, or a path whose last element is a task id and an extension.
func taskOf(diffFile string) string {
	name := diffFile[strings.LastIndexByte(diffFile, '/')+1:]
	name, _, _ = strings.Cut(name, ".")
	if api.IsTaskID(name) {
		return name
	}
	return ""
}

// download answers with a file of the task: its document, its report or its
// before-images. It passes the request to the endpoint of the API that serves the file.
func (p *Page) download(w http.ResponseWriter, r *http.Request) error {
	route, known := map[string]api.Route{
		"document": api.RouteDiff, "report": api.RouteReport, "before-images": api.RouteBefore,
	}[r.PathValue("download")]
	if !known {
		return &refusal{http.StatusNotFound, fmt.Sprintf("there is no path %.100q", r.URL.Path)}
	}
	r = r.Clone(r.Context())
	r.URL.Path = route.Path(r.PathValue("id"))
	w.Header().Del("Content-Security-Policy") // Downloads sets the policy of the file
	p.Downloads.ServeHTTP(w, r)
	return nil
}
