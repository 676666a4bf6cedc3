package tablerepair

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/task"
)

// ReportHead holds the JSON members of a report that precede the nodes.
type ReportHead struct {
	Operation string          `json:"operation"`
	TaskID    string          `json:"task_id"`
	TimeStamp time.Time       `json:"time_stamp"`
	RunTime   api.Seconds     `json:"run_time"` // in seconds
	DryRun    bool            `json:"dry_run"`
	Arguments json.RawMessage `json:"arguments"`
	Warnings  []string        `json:"warnings"`
	// Redact are the columns whose values are keyed hashes, which are equal before and
	// after a change exactly if the values are.
	Redact []string `json:"redact,omitempty"`
	// Resolve is what decided in a repair by rule, Undecided counts what was left alone, and
	// UndecidedKeys names the first hundred.
	Resolve       string         `json:"resolve,omitempty"`
	Undecided     int64          `json:"undecided,omitempty"`
	UndecidedKeys []UndecidedKey `json:"undecided_keys,omitempty"`
}

// ReportNode holds the JSON members of a node that precede its rows.
type ReportNode struct {
	Outcome   string `json:"outcome,omitempty"`
	Error     string `json:"error,omitempty"`
	Inserted  int64  `json:"inserted"`
	Updated   int64  `json:"updated"`
	Deleted   int64  `json:"deleted"`
	Unchanged int64  `json:"unchanged"`
	Skipped   int64  `json:"skipped"`
	// Unrepairable counts the rows that differ after the repair, and UnrepairableKeys has
	// the keys of the first of these rows.
	Unrepairable     int64    `json:"unrepairable,omitempty"`
	UnrepairableKeys []string `json:"unrepairable_keys,omitempty"`
	// Left has the keys of the first rows that an undo skipped.
	Left []string `json:"left,omitempty"`
}

// writeReport writes a report of the rows that were changed on each node, and returns the
// stored report. It reads the changes from the stored parts. It does not replace the
// report of an earlier run, whose outcomes may be different.
func (r *run) writeReport(ctx context.Context, result Result) (*task.Document, error) {
	r.progress.phase(phaseReport)
	for n := 1; ; n++ {
		key := archive.ReportKey(r.plan.TaskID, r.req.SubmittedAt, n)
		_, err := r.store.Stat(ctx, key)
		if err == nil {
			continue
		}
		if !errors.Is(err, archive.ErrNotFound) {
			return nil, err
		}
		report, err := writeObject(ctx, r.store, key, "application/json", func(out *bufio.Writer) error {
			return (&reportDocument{run: r, jsonWriter: jsonWriter{out}}).write(ctx, result)
		})
		if !errors.Is(err, archive.ErrPrecondition) {
			return report, err
		}
	}
}

// writeObject creates the object key, calls write to fill it, and returns the key, size
// and SHA-256 of the object. The error is archive.ErrPrecondition if it already exists.
func writeObject(ctx context.Context, store archive.Store, key, contentType string, write func(*bufio.Writer) error) (*task.Document, error) {
	w, err := store.Create(ctx, key, contentType)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	digest := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, digest), 64<<10)
	if err := write(out); err != nil {
		return nil, err
	}
	if err := out.Flush(); err != nil {
		return nil, err
	}
	info, err := w.Commit(ctx)
	if err != nil {
		return nil, err
	}
	return &task.Document{Key: key, Size: info.Size, SHA256: hex.EncodeToString(digest.Sum(nil))}, nil
}

// describeObject reads an object to determine its size and SHA-256.
func describeObject(ctx context.Context, store archive.Store, key string) (*task.Document, error) {
	object, err := store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer object.Body.Close()
	digest := sha256.New()
	size, err := io.Copy(digest, object.Body)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be read", key)
	}
	return &task.Document{Key: key, Size: size, SHA256: hex.EncodeToString(digest.Sum(nil))}, nil
}

// jsonWriter writes JSON. The buffered writer remembers its first error and returns it
// from Flush.
type jsonWriter struct{ out *bufio.Writer }

func (d jsonWriter) print(texts ...string) {
	for _, text := range texts {
		_, _ = io.WriteString(d.out, text) // the writer remembers the error
	}
}

// begin writes a value, which must be a JSON object, without its closing brace, so that
// more members can follow.
func (d jsonWriter) begin(value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the document cannot be written")
	}
	d.print(string(raw[:len(raw)-1]))
	return nil
}

// reportDocument writes a report.
type reportDocument struct {
	*run
	jsonWriter
}

func (d *reportDocument) write(ctx context.Context, result Result) error {
	head := ReportHead{
		Operation: "table-repair", TaskID: d.plan.TaskID, TimeStamp: d.req.StartedAt.UTC().Truncate(time.Millisecond),
		RunTime: api.Seconds(time.Since(d.req.StartedAt).Seconds()), DryRun: d.plan.DryRun, Arguments: d.req.Arguments,
		Warnings: append([]string{}, result.Warnings...), Redact: d.plan.Redaction.Columns,
	}
	if result.Rule != nil {
		head.Resolve, head.Undecided, head.UndecidedKeys = d.plan.Resolve.Strategy, result.Rule.Undecided, result.Rule.UndecidedKeys
	}
	if err := d.begin(head); err != nil {
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
	return nil
}

func (d *reportDocument) node(ctx context.Context, t *Target, n NodeResult) error {
	name, err := json.Marshal(n.Node)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the report cannot be written")
	}
	d.print("\n", string(name), ":")
	if err := d.begin(newReportNode(n)); err != nil {
		return err
	}

	would := ""
	if d.plan.DryRun {
		would = "would_"
	}

	for _, section := range []struct {
		name string
		pick picker
	}{
		{"upserted_rows", except(opDelete)},
		{"deleted_rows", only(opDelete)},
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

func newReportNode(n NodeResult) ReportNode {
	t := n.Totals
	about := ReportNode{Outcome: n.Outcome, Inserted: t.Inserted, Updated: t.Updated, Deleted: t.Deleted, Unchanged: t.Unchanged, Skipped: t.Skipped, Unrepairable: t.Unrepairable()}
	if n.Error != nil {
		about.Error = n.Error.Message
	}
	for _, key := range t.UnrepairableKeys {
		about.UnrepairableKeys = append(about.UnrepairableKeys, key.String())
	}
	for _, key := range t.Left {
		about.Left = append(about.Left, key.String())
	}
	return about
}

// rows writes the changes that pick accepts, each with the row before and after the
// change. Changes that were not done or were undone are left out.
func (d *reportDocument) rows(ctx context.Context, t *Target, n NodeResult, pick picker) error {
	left, err := openFinalRows(ctx, d.store, n.altered)
	if err != nil {
		return err
	}
	defer left.close()

	e := newRowEncoder(t.Columns)
	hasher := d.plan.rowHasher(t)
	if d.plan.DryRun { // the changes of a dry run are stored redacted
		hasher = nil
	}
	for i, c := range t.Columns {
		e.columns[i].Redacted = c.Redacted
	}

	separator := "\n"
	return eachChange(ctx, d.store, n.Totals.Parts, whole(pick), func(c numberedChange) error {
		row, err := left.row(c)
		if err != nil || left.isUndone(c) || row == nil && c.Op == opInsert {
			return err
		}
		before, err := e.encode(hasher.Row(c.Key, c.Before))
		if err != nil {
			return err
		}
		d.print(separator, `{"before":`, before)
		separator = ",\n"
		after, err := e.encode(hasher.Row(c.Key, row))
		d.print(`,"after":`, after)
		if err != nil {
			return err
		}
		return d.why(c.change)
	})
}

// why ends a change with the rule that decided it and the reason, in a repair by rule.
func (d *reportDocument) why(c change) error {
	if c.Reason != "" {
		if c.Rule > 0 {
			d.print(`,"rule":`, strconv.Itoa(c.Rule))
		}
		reason, err := json.Marshal(c.Reason)
		if err != nil {
			return fault.Wrap(err, fault.Internal, "the report cannot be written")
		}
		d.print(`,"reason":`, string(reason))
	}
	d.print("}")
	return nil
}

// rowEncoder encodes rows in the form of diff documents. A row may lack the last columns.
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
