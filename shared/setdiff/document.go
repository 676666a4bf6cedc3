package setdiff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/finding"
	"ace/shared/setfile"
	"ace/shared/task"
)

const (
	documentType = "application/json"
	// maxStored is the maximum size of a plan and of a document, in bytes. A table takes a
	// few hundred bytes of each.
	maxStored = 1 << 30
)

// The reasons why a table was not compared.
const (
	afterStop = "not compared, because fail_fast is set and another table was not identical"
	afterEnd  = "not compared, because the task ended before"
)

// document returns the document with the results so far. A table without a result gets
// the verdict that the plan has for it or, if the plan has none, the verdict skipped or
// failed. Its Error is the reason why the table was not compared.
func (r *run) document() setfile.Document {
	r.progress.mu.Lock()
	defer r.progress.mu.Unlock()
	d := setfile.Document{Format: setfile.Format, Summary: r.request.Summary, Structure: r.plan.Findings}
	d.Summary.Nodes = r.plan.Nodes
	d.Summary.Name = cmp.Or(r.plan.Name, d.Summary.Name)
	finding.Sort(d.Structure)
	for i, t := range r.plan.Tables {
		result, compared := r.results[i]
		switch {
		case compared && t.Verdict == api.SetMissing:
			result = missing(t, result)
		case compared:
		case t.Verdict != "":
			result = setfile.Table{Table: t.Name, Verdict: t.Verdict, MissingOn: t.MissingOn, Error: t.Reason}
		case r.stop: // another table is not identical, so skipping this one cannot make the whole document match
			result = setfile.Table{Table: t.Name, Verdict: api.SetSkipped, Error: afterStop}
		default:
			result = setfile.Table{Table: t.Name, Verdict: api.SetFailed, Error: afterEnd}
		}
		result.TableFilter, result.IgnoreColumns = t.TableFilter, t.IgnoreColumns
		d.Tables = append(d.Tables, result)
	}

	d.Summary.FinishedAt = api.At(r.Now())
	d.Summary.TimeTaken = api.Seconds(d.Summary.FinishedAt.Sub(d.Summary.StartedAt.Time).Seconds())
	d.Summarize()
	d.Summary.Error = problem(d)
	return d
}

// missing returns the result of a table that some nodes lack, from the result of the
// comparison of the nodes that have it.
func missing(t Table, compared setfile.Table) setfile.Table {
	on := strings.Join(t.CompareOn, " and ")
	switch {
	case compared.Verdict == api.SetFailed:
		compared.Error = fmt.Sprintf("%s; the rows on %s could not be compared: %s", t.Reason, on, compared.Error)
	case compared.MismatchedRows > 0 || compared.Verdict == api.SetDifferent:
		compared.Error = fmt.Sprintf("%s; the rows on %s differ", t.Reason, on)
	default:
		compared.Error = fmt.Sprintf("%s; the rows on %s are identical", t.Reason, on)
	}
	compared.Verdict, compared.MissingOn = t.Verdict, t.MissingOn
	return compared
}

// problem returns a text with the number of tables that could not be compared and the
// reason for the first of them. It returns "" if all tables could be compared.
func problem(d setfile.Document) string {
	counts := d.Summary.Tables
	left := counts.Failed + counts.Keyless
	if left == 0 {
		return ""
	}
	text := fmt.Sprintf("%d of %d tables could not be compared", left, counts.Total()-counts.Skipped)
	for _, verdict := range []string{api.SetFailed, api.SetKeyless} {
		for _, t := range d.Tables {
			if t.Verdict == verdict {
				return text + fmt.Sprintf("; the first is %s: %s", t.Table, t.Error)
			}
		}
	}
	return text
}

// failure returns the error with which the parent fails, or nil if all tables could be
// compared.
func (r *run) failure(d setfile.Document) error {
	if d.Summary.Error == "" {
		return nil
	}
	code := r.failed
	if code == "" || code == fault.Cancelled {
		code = fault.Invalid
	}
	return fault.New(code, "%s", d.Summary.Error)
}

// publish stores the document and returns its key and its content. If an earlier run of
// the parent has stored a document, publish returns the key and the content of that
// document.
func (r *run) publish(ctx context.Context, d setfile.Document) (task.Document, setfile.Document, error) {
	body, err := setfile.Encode(d)
	if err != nil {
		return task.Document{}, d, err
	}

	key := archive.DiffKey(r.request.Parent.TaskID, r.request.Parent.SubmittedAt, api.FormatJSON)
	err = r.request.Patience.Do(ctx, "storing the document", func() error {
		_, err := r.Store.PutIfAbsent(ctx, key, documentType, body)
		if errors.Is(err, archive.ErrPrecondition) {
			body, d, err = ReadDocument(ctx, r.Store, key)
		}
		return err
	})
	return task.DocumentOf(key, body), d, err
}

// ReadDocument reads the document at a key of the archive, and returns its bytes and its
// content. The error is archive.ErrNotFound if there is no object at the key, and
// Internal if the object is not a document of this format.
func ReadDocument(ctx context.Context, store archive.Store, key string) ([]byte, setfile.Document, error) {
	var d setfile.Document
	body, _, err := archive.ReadJSONUpTo(ctx, store, key, maxStored, &d)
	if err == nil && d.Format != setfile.Format {
		err = fault.New(fault.Internal, "object %s in the archive is not a document of format %s", key, setfile.Format)
	}
	if err != nil {
		return nil, setfile.Document{}, err
	}
	return body, d, nil
}
