package tablerepair

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"ace/shared/archive"
	"ace/shared/difffile"
	"ace/shared/fault"
)

// reportHead is what a report says before the changes.
type reportHead struct {
	Operation string          `json:"operation"`
	TaskID    string          `json:"task_id"`
	TimeStamp time.Time       `json:"time_stamp"`
	RunTime   float64         `json:"run_time"` // seconds
	DryRun    bool            `json:"dry_run"`
	Arguments json.RawMessage `json:"arguments"`
	Warnings  []string        `json:"warnings"`
}

// reportNode is what a report says of a node before its rows.
type reportNode struct {
	Outcome   string   `json:"outcome,omitempty"`
	Error     string   `json:"error,omitempty"`
	Inserted  int64    `json:"inserted"`
	Updated   int64    `json:"updated"`
	Deleted   int64    `json:"deleted"`
	Unchanged int64    `json:"unchanged"`
	Skipped   int64    `json:"skipped"`
	Left      []string `json:"left,omitempty"`
}

// writeReport writes which rows were changed, on each node, out of what was stored when it was decided. It gives the
// report's key: one that an earlier run wrote stays, and need not say how this one ended.
func (r *run) writeReport(ctx context.Context, result Result) (string, error) {
	r.progress.phase(phaseReport)
	for n := 1; ; n++ {
		key := archive.ReportKey(r.plan.TaskID, r.job.SubmittedAt, n)
		_, err := r.store.Stat(ctx, key)
		if errors.Is(err, archive.ErrNotFound) {
			if err = r.writeReportAt(ctx, key, result); err == nil {
				return key, nil
			}
		}
		if err != nil && !errors.Is(err, archive.ErrPrecondition) {
			return "", err
		}
	}
}

// writeReportAt writes a report. archive.ErrPrecondition: there is one of this key already.
func (r *run) writeReportAt(ctx context.Context, key string, result Result) error {
	w, err := r.store.Create(ctx, key, "application/json")
	if err != nil {
		return err
	}
	defer w.Abort()
	doc := &reportDocument{run: r, out: bufio.NewWriterSize(w, 64<<10)}
	if err := doc.write(ctx, result); err != nil {
		return err
	}
	_, err = w.Commit(ctx)
	return err
}

// reportDocument is a report being written. The writer remembers its first error and gives it when it is flushed.
type reportDocument struct {
	*run
	out *bufio.Writer
}

func (d *reportDocument) print(texts ...string) {
	for _, text := range texts {
		_, _ = io.WriteString(d.out, text) // kept by the writer
	}
}

// open writes a value without its closing brace, so that more members can follow.
func (d *reportDocument) open(value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the report cannot be written")
	}
	d.print(string(raw[:len(raw)-1]))
	return nil
}

func (d *reportDocument) write(ctx context.Context, result Result) error {
	err := d.open(reportHead{
		Operation: "table-repair", TaskID: d.plan.TaskID, TimeStamp: d.job.StartedAt.UTC().Truncate(time.Millisecond),
		RunTime: time.Since(d.job.StartedAt).Seconds(), DryRun: d.plan.DryRun, Arguments: d.job.Arguments,
		Warnings: append([]string{}, result.Warnings...),
	})
	if err != nil {
		return err
	}
	d.print(`,"changes":{`)
	for i, n := range result.Nodes {
		if i > 0 {
			d.print(",")
		}
		if err := d.node(ctx, &d.plan.Targets[i], n); err != nil {
			return err
		}
	}
	d.print("}}\n")
	return d.out.Flush()
}

func (d *reportDocument) node(ctx context.Context, t *Target, n NodeResult) error {
	name, err := json.Marshal(n.Node)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the report cannot be written")
	}
	d.print("\n", string(name), ":")
	if err := d.open(nodeOf(n)); err != nil {
		return err
	}
	would := ""
	if d.plan.DryRun {
		would = "would_"
	}
	for _, section := range []struct {
		name string
		pick func(change) bool
	}{
		{"upserted_rows", func(c change) bool { return c.Op != opDelete }},
		{"deleted_rows", func(c change) bool { return c.Op == opDelete }},
	} {
		d.print(`,"`, would, section.name, `":[`)
		if err := d.rows(ctx, t, n, section.pick); err != nil {
			return err
		}
		d.print("]")
	}
	d.print("}")
	return nil
}

func nodeOf(n NodeResult) reportNode {
	t := n.Totals
	about := reportNode{Outcome: n.Outcome, Inserted: t.Inserted, Updated: t.Updated, Deleted: t.Deleted, Unchanged: t.Unchanged, Skipped: t.Skipped}
	if n.Error != nil {
		about.Error = n.Error.Message
	}
	for _, key := range t.Left {
		about.Left = append(about.Left, key.String())
	}
	return about
}

// rows writes the changes that pick chooses, each with the row before and as it was left. Insertions that were taken back
// are none.
func (d *reportDocument) rows(ctx context.Context, t *Target, n NodeResult, pick func(change) bool) error {
	left, err := openLeft(ctx, d.store, n.altered)
	if err != nil {
		return err
	}
	defer left.close()
	e := newRowEncoder(t.Columns)
	separator := "\n"
	return eachChange(ctx, d.store, n.Totals.Parts, func(c placed) error {
		if !pick(c.change) {
			return nil
		}
		row, err := left.row(c)
		if err != nil || row == nil && c.Op == opInsert {
			return err
		}
		before, err := e.encode(c.Before)
		if err != nil {
			return err
		}
		d.print(separator, `{"before":`, before)
		separator = ",\n"
		after, err := e.encode(row)
		d.print(`,"after":`, after, "}")
		return err
	})
}

// rowEncoder writes rows as diff documents have them. A row may have only the first of the columns.
type rowEncoder struct {
	columns  []difffile.Column
	encoders map[int]*difffile.Encoder
}

func newRowEncoder(columns []Column) *rowEncoder {
	e := &rowEncoder{encoders: map[int]*difffile.Encoder{}}
	for _, c := range columns {
		e.columns = append(e.columns, difffile.Column{Name: c.Name, Type: c.Type})
	}
	return e
}

func (e *rowEncoder) encode(row []*string) (string, error) {
	if row == nil {
		return "null", nil
	}
	encoder := e.encoders[len(row)]
	if encoder == nil {
		var err error
		if encoder, err = difffile.NewEncoder(e.columns[:len(row)]); err != nil {
			return "", fault.Wrap(err, fault.Internal, "rows of this table cannot be written")
		}
		e.encoders[len(row)] = encoder
	}
	text, err := encoder.Append(nil, difffile.Row(row))
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "a row cannot be written to the report")
	}
	return string(text), nil
}
