package client

import (
	"context"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"ace/shared/api"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/rowpairs"
)

const (
	null = "(null)"
	// absentRow is printed in the key columns if the node of the line has no row with the
	// key.
	absentRow = "(no row)"
	// tableRows is the maximum number of differences that are printed as one table.
	// Further differences are printed as another table, so that memory does not grow with
	// the document.
	tableRows = 100
	cellWidth = 40 // maximum number of characters of a value in a printed table
)

// show runs `ace show ID`: it prints the rows that differ as a table.
func show(ctx context.Context, s *session) error {
	args, err := s.args(1, 1, "TASK, the id of a table-diff or table-rerun")
	if err != nil {
		return err
	}
	if s.cmd.Bool(flagJSON) {
		return s.downloadToStdout(ctx, fileAddress(api.RouteDiff, args[0], nil))
	}
	if api.IsParentID(args[0]) {
		return s.showSet(ctx, args[0])
	}
	limit, err := strconv.ParseInt(s.cmd.String("limit"), 10, 64)
	if err != nil || limit < 0 {
		return fault.New(fault.Invalid, "--limit is %q; it must be a number of rows, or 0 for all", s.cmd.String("limit"))
	}

	document, remove, err := s.server.document(ctx, args[0])
	if err != nil {
		return err
	}
	defer remove()
	return s.printRows(ctx, document, limit)
}

// document downloads the document of a task to a temporary file and opens it. The caller
// must call remove, which deletes the file.
func (s *Server) document(ctx context.Context, id string) (document *rowpairs.Document, remove func(), err error) {
	file, err := os.CreateTemp("", "ace-show-")
	if err != nil {
		return nil, nil, fault.New(fault.Internal, "there is no place for a temporary file: %v", err)
	}
	defer file.Close()
	remove = func() { _ = os.Remove(file.Name()) } // an error is ignored: the system cleans the directory of temporary files
	if err := s.download(ctx, fileAddress(api.RouteDiff, id, nil), file); err != nil {
		remove()
		return nil, nil, err
	}

	document, err = rowpairs.Open(ctx, func(_ context.Context, offset int64) (io.ReadCloser, error) {
		section, err := os.Open(file.Name())
		if err != nil {
			return nil, err
		}
		_, err = section.Seek(offset, io.SeekStart)
		return section, err
	})
	if err != nil {
		remove()
		return nil, nil, err
	}
	return document, remove, nil
}

// printRows prints the first limit differences of a document, or all if limit is 0. Each
// printed table has the differences of one pair of nodes.
func (s *session) printRows(ctx context.Context, document *rowpairs.Document, limit int64) error {
	summary := document.Summary()
	if document.Count() == 0 {
		writeLine(s.Stdout, "%s on %s: no row differs", tableOf(summary), summary.ClusterName)
		return nil
	}

	var chunk []rowpairs.Difference
	var printed int64
	for difference, err := range document.Differences(ctx) {
		if err != nil {
			return err
		}
		if len(chunk) == tableRows || len(chunk) > 0 && chunk[0].Pair != difference.Pair {
			s.printChunk(document, chunk)
			chunk = chunk[:0]
		}
		if limit > 0 && printed == limit {
			break
		}
		chunk = append(chunk, difference)
		printed++
	}
	if len(chunk) > 0 {
		s.printChunk(document, chunk)
	}
	if rest := document.Count() - printed; rest > 0 {
		writeLine(s.Stderr, "%s more; --limit 0 shows all of them", humanize.Comma(rest))
	}
	return nil
}

func tableOf(summary difffile.Summary) string {
	return api.TableName{Schema: summary.Schema, Name: summary.Table}.String()
}

// printChunk prints differences of one pair as a table with two lines for each
// difference. The columns of the table are those that shownColumns returns.
func (s *session) printChunk(document *rowpairs.Document, chunk []rowpairs.Difference) {
	columns := shownColumns(document, chunk, s.cmd.Bool("all-columns"))
	header := []any{"node"}
	if len(document.Summary().CommitTimes) > 0 {
		header = append(header, "last written")
	}
	for _, c := range columns {
		header = append(header, safe(document.Summary().Columns[c].Name))
	}

	rows := s.newTable(header...)
	for i, difference := range chunk {
		if i > 0 {
			rows.AppendSeparator()
		}
		for side := range 2 {
			rows.AppendRow(s.cells(document, difference, side, columns))
		}
	}
	rows.Render()
	write(s.Stdout, "\n")
}

// shownColumns returns the indexes of the columns to print: those of the key first, and
// then those that differ in at least one of the rows. If all is set, it returns all
// columns. It also returns all columns if none differs because every key of chunk is
// missing on one of the nodes.
func shownColumns(document *rowpairs.Document, chunk []rowpairs.Difference, all bool) []int {
	key := document.Key()
	different := make([]bool, len(document.Summary().Columns))
	for _, d := range chunk {
		if d.Kind() != rowpairs.Different {
			continue
		}
		for c := range different {
			different[c] = different[c] || !sameText(d.Rows[0][c], d.Rows[1][c])
		}
	}

	all = all || !slices.Contains(different, true)
	columns := slices.Clone(key)
	for c := range different {
		if !slices.Contains(key, c) && (all || different[c]) {
			columns = append(columns, c)
		}
	}
	return columns
}

// cells returns the line of the node d.Pair[side] in the table: the node's name, and the
// values of the node's row in columns. Values that differ from those of the other node
// are highlighted.
func (s *session) cells(document *rowpairs.Document, d rowpairs.Difference, side int, columns []int) table.Row {
	line := table.Row{safe(d.Pair[side])}
	if len(document.Summary().CommitTimes) > 0 {
		line = append(line, lastWrite(d.Writes[side]))
	}
	own, other := d.Rows[side], d.Rows[1-side]
	for _, c := range columns {
		inKey := slices.Contains(document.Key(), c)
		switch {
		case own == nil && inKey:
			line = append(line, s.paint(absentRow, text.FgRed))
		case own == nil:
			line = append(line, "")
		case other != nil && !sameText(own[c], other[c]):
			line = append(line, s.paint(cell(own[c]), text.FgRed, text.Bold))
		default:
			line = append(line, cell(own[c]))
		}
	}
	return line
}

// lastWrite returns when a row was written last, in milliseconds, and by which
// replication origin. It returns "" if that is not known.
func lastWrite(w *difffile.LastWrite) string {
	if w == nil || w.At == "" {
		return ""
	}
	text := safe(w.At)
	if at, err := time.Parse(time.RFC3339Nano, w.At); err == nil {
		text = at.UTC().Format("2006-01-02 15:04:05.000 UTC")
	}
	if w.Origin != "" {
		text += " by " + cell(&w.Origin)
	}
	return text
}

// cell returns a value as one line of at most cellWidth characters.
func cell(value *string) string {
	if value == nil {
		return null
	}
	runes := []rune(safe(*value))
	if len(runes) > cellWidth {
		return string(runes[:cellWidth-1]) + "…"
	}
	return string(runes)
}

func sameText(a, b *string) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
