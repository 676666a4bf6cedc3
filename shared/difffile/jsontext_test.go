package difffile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// The benchmarks below compare the package's JSON code with jsontext. Each does the same
// work with both, by turns in one process, and reports the ratio of the times and of the
// allocated bytes. BENCHMARKS.md has the figures.

// benchRows is the number of rows in the document of the benchmarks.
const benchRows = 100_000

// versus runs two functions by turns and reports how much more time and memory the
// library takes.
func versus(b *testing.B, rows int, ours, library func()) {
	b.Helper()
	measured := func(run func()) (time.Duration, float64) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := time.Now()
		run()
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		return took, float64(after.TotalAlloc - before.TotalAlloc)
	}

	var times, memory, perRow []float64
	for b.Loop() {
		oursTime, oursBytes := measured(ours)
		libraryTime, libraryBytes := measured(library)
		times = append(times, float64(libraryTime)/float64(oursTime))
		memory = append(memory, libraryBytes/max(oursBytes, 1))
		perRow = append(perRow, float64(oursTime.Nanoseconds())/float64(rows))
	}

	b.ReportMetric(median(perRow), "ours-ns/row")
	b.ReportMetric(median(times), "time-ratio")
	b.ReportMetric(median(memory), "memory-ratio")
	b.ReportMetric(0, "ns/op")
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// benchSummary describes a table of ten columns.
func benchSummary() Summary {
	s := Summary{PrimaryKey: []string{"id"}, Nodes: []string{"n1", "n2"}}
	for _, column := range []string{
		"id bigint", "region text", "name text", "email text", "status text", "balance numeric(12,2)",
		"active boolean", "preferences jsonb", "updated_at timestamp with time zone", "note text",
	} {
		name, kind, _ := strings.Cut(column, " ")
		s.Columns = append(s.Columns, Column{Name: name, Type: kind})
	}
	s.Pairs = Pairs{{
		Nodes: Pair{"n1", "n2"}, Different: benchRows / 2, OnlyOn: map[string]int64{},
		Columns: map[string]int64{"balance": benchRows / 2},
	}}
	return s
}

// benchRow returns a row of that table.
func benchRow(n int) Row {
	values := []string{
		strconv.Itoa(1_000_000 + n*7919), []string{"eu", "us", "apac"}[n%3], "Grace Hopper", "grace.hopper@example.com",
		"active", strconv.Itoa(n*37%9000) + ".25", "t", `{"theme": "dark", "locale": "en-GB", "visits": ` + strconv.Itoa(n%80) + "}",
		"2024-03-15 12:34:07.000056+00", "",
	}
	row := make(Row, len(values))
	for i := range values[:9] { // the note is NULL
		row[i] = &values[i]
	}
	return row
}

// benchSource is a source of benchRows rows, half of them on each node.
type benchSource struct{ encoder *Encoder }

func (s benchSource) Rows(context.Context, Pair, string) iter.Seq2[Encoded, error] {
	return func(yield func(Encoded, error) bool) {
		for n := range benchRows / 2 {
			if encoded, err := s.encoder.Append(nil, benchRow(n)); !yield(encoded, err) || err != nil {
				return
			}
		}
	}
}

func (benchSource) Unsettled(context.Context, Pair) iter.Seq2[Row, error] {
	return func(func(Row, error) bool) {}
}

func (benchSource) KeyVariants(context.Context, Pair) iter.Seq2[[2]Row, error] {
	return func(func([2]Row, error) bool) {}
}

func benchDocument(tb testing.TB) []byte {
	tb.Helper()
	s := benchSummary()
	encoder, err := NewEncoder(s.Columns)
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := Write(tb.Context(), &out, s, benchSource{encoder}); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// libraryReader reads the rows of a document with jsontext as fast as possible. It does
// not look up names that are in their usual order. The caller detects duplicate names, as
// it does with our reader.
type libraryReader struct {
	dec     *jsontext.Decoder
	columns columns
	check   bool // skip all values but those of key columns
	values  values
}

// rows skips everything before the rows of a document and calls fn for every row.
func (r *libraryReader) rows(fn func(Row)) error {
	if err := r.skipTo("diffs"); err != nil {
		return err
	}
	return r.members(func() error { // pairs
		return r.members(func() error { // nodes
			if _, err := r.dec.ReadToken(); err != nil {
				return err
			}
			for r.dec.PeekKind() != ']' {
				row, err := r.row()
				if err != nil {
					return err
				}
				fn(row)
			}
			_, err := r.dec.ReadToken()
			return err
		})
	})
}

// skipTo reads up to the value of a member of the outermost object.
func (r *libraryReader) skipTo(member string) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for {
		name, err := r.dec.ReadToken()
		if err != nil || name.String() == member {
			return err
		}
		if err := r.dec.SkipValue(); err != nil {
			return err
		}
	}
}

// members reads an object and calls fn at every value.
func (r *libraryReader) members(fn func() error) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() != '}' {
		if _, err := r.dec.ReadToken(); err != nil {
			return err
		}
		if err := fn(); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

func (r *libraryReader) row() (Row, error) {
	r.values.reset(len(r.columns.list))
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, err
	}
	for i := range r.columns.list {
		name, err := r.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		if label := r.columns.labels[i]; !bytes.Equal(name, label[:len(label)-1]) {
			return nil, errors.New("another column")
		}
		if r.check && !r.columns.key[i] {
			if err := r.dec.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		raw, err := r.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		if err := r.set(i, r.columns.kinds[i], raw); err != nil {
			return nil, err
		}
	}
	if _, err := r.dec.ReadToken(); err != nil || r.check {
		return nil, err
	}
	return r.values.row(), nil
}

// set decodes a value into the same memory as our reader.
func (r *libraryReader) set(i int, k kind, raw jsontext.Value) (err error) {
	v := &r.values
	from := len(v.text)
	switch {
	case raw.Kind() == 'n':
		return nil
	case k == text && raw.Kind() == '"':
		if v.text, err = jsontext.AppendUnquote(v.text, raw); err != nil {
			return err
		}
		if bytes.IndexByte(v.text[from:], 0) >= 0 {
			return errNUL
		}
	case k == boolean && (raw.Kind() == 't' || raw.Kind() == 'f'):
		v.text = append(v.text, raw[0])
	case k == integer && isInteger([]byte(raw)):
		v.text = append(v.text, raw...)
	default:
		return errors.New("not allowed")
	}
	v.spans[i] = span{from: from, to: len(v.text), isSet: true}
	return nil
}

func newLibraryReader(document io.Reader) *libraryReader {
	s := benchSummary()
	return &libraryReader{
		dec:     jsontext.NewDecoder(document, jsontext.AllowDuplicateNames(true)),
		columns: newColumns(s.Columns, s.PrimaryKey),
	}
}

// TestLibraryReader_ReadsTheSameRows checks that both sides of the benchmarks do the same
// work.
func TestLibraryReader_ReadsTheSameRows(t *testing.T) {
	document := benchDocument(t)
	r, err := Open(bytes.NewReader(document))
	must(t, err)
	next, stop := iter.Pull2(r.Rows())
	defer stop()
	n := 0
	must(t, newLibraryReader(bytes.NewReader(document)).rows(func(row Row) {
		if entry, err, more := next(); n%1000 == 0 && (!more || err != nil || !cmp.Equal(entry.Row, row)) {
			t.Errorf("row %d differs: %v, %v", n, entry.Row, err)
		}
		n++
	}))
	if n != benchRows {
		t.Errorf("%d rows, want %d", n, benchRows)
	}
}

// BenchmarkReader reads every row: what a rerun, a repair and a rendering do.
func BenchmarkReader(b *testing.B) {
	document := benchDocument(b)
	versus(b, benchRows, func() {
		r, err := Open(bytes.NewReader(document))
		must(b, err)
		must(b, r.Visit(Visitor{}))
	}, func() {
		must(b, newLibraryReader(bytes.NewReader(document)).rows(func(Row) {}))
	})
}

// BenchmarkCheck reads a document without its values: what an import does.
func BenchmarkCheck(b *testing.B) {
	document := benchDocument(b)
	versus(b, benchRows, func() {
		r, err := Open(bytes.NewReader(document))
		must(b, err)
		must(b, r.Check())
	}, func() {
		r := newLibraryReader(bytes.NewReader(document))
		r.check = true
		must(b, r.rows(func(Row) {}))
	})
}

// BenchmarkSpaces reads a document with white space between its tokens, as another tool
// may write it.
func BenchmarkSpaces(b *testing.B) {
	var document bytes.Buffer
	must(b, json.Indent(&document, benchDocument(b), "", "  "))
	versus(b, benchRows, func() {
		r, err := Open(bytes.NewReader(document.Bytes()))
		must(b, err)
		must(b, r.Visit(Visitor{}))
	}, func() {
		must(b, newLibraryReader(bytes.NewReader(document.Bytes())).rows(func(Row) {}))
	})
}

// BenchmarkCheckLargeValue reads a document with a value of 64 MB, as an import does.
func BenchmarkCheckLargeValue(b *testing.B) {
	document := benchDocument(b)
	document = bytes.Replace(document, []byte("Grace Hopper"), bytes.Repeat([]byte("x"), 64<<20), 1)
	versus(b, benchRows, func() {
		r, err := Open(bytes.NewReader(document))
		must(b, err)
		must(b, r.Check())
	}, func() {
		r := newLibraryReader(bytes.NewReader(document))
		r.check = true
		must(b, r.rows(func(Row) {}))
	})
}

func (benchSource) Written(context.Context, Pair, string) iter.Seq2[LastWrite, error] {
	return func(func(LastWrite, error) bool) {}
}
