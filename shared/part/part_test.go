package part_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/part"
)

const key = "tasks/td_1/parts/compare-000007"

type row struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

type totals struct {
	Keys int64  `json:"keys"`
	Note string `json:"note,omitempty"`
}

var header = part.Header{TaskID: "td_1", PlanHash: "aabbccddeeff00", Unit: "compare-000007"}

// write writes a part and fails the test on an error.
func write(t testing.TB, store archive.Store, rows []row, end totals) {
	t.Helper()
	if err := tryWrite(t.Context(), store, rows, end); err != nil {
		t.Fatal(err)
	}
}

func tryWrite(ctx context.Context, store archive.Store, rows []row, end totals) error {
	w, err := part.Create(ctx, store, key, header)
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, r := range rows {
		if err := w.Row(r); err != nil {
			return err
		}
	}
	return w.Commit(ctx, end)
}

// read reads a part to its end.
func read(ctx context.Context, store archive.Store, want part.Header) ([]row, totals, error) {
	var rows []row
	var end totals
	r, err := part.Open(ctx, store, key, want)
	if err != nil {
		return nil, end, err
	}
	defer r.Close()
	for {
		var next row
		more, err := r.Next(&next)
		if err != nil {
			return rows, end, err
		}
		if !more {
			return rows, end, r.Totals(&end)
		}
		rows = append(rows, next)
	}
}

func readTotals(ctx context.Context, store archive.Store, want part.Header) (totals, error) {
	var end totals
	err := part.ReadTotals(ctx, store, key, want, &end)
	return end, err
}

// blob is a store of one object, which a test may damage. Writes are appended to the
// object.
type blob struct {
	archive.Store
	body []byte
}

func (b *blob) info() archive.Info {
	return archive.Info{Key: key, Size: int64(len(b.body)), ETag: "e"}
}

func (b *blob) Stat(context.Context, string) (archive.Info, error) { return b.info(), nil }

func (b *blob) Get(context.Context, string) (archive.Object, error) {
	return archive.Object{Info: b.info(), Body: io.NopCloser(bytes.NewReader(b.body))}, nil
}

func (b *blob) GetRange(_ context.Context, _, _ string, offset, _ int64) (archive.Object, error) {
	return archive.Object{Info: b.info(), Body: io.NopCloser(bytes.NewReader(b.body[offset:]))}, nil
}

func (b *blob) GetTail(_ context.Context, _ string, length int64) (archive.Object, error) {
	return archive.Object{Info: b.info(), Body: io.NopCloser(bytes.NewReader(b.body[max(0, len(b.body)-int(length)):]))}, nil
}

func (b *blob) Create(context.Context, string, string) (archive.Writer, error) { return b, nil }

func (b *blob) Write(p []byte) (int, error) {
	b.body = append(b.body, p...)
	return len(p), nil
}

func (b *blob) Commit(context.Context) (archive.Info, error) { return b.info(), nil }

func (b *blob) Abort() {}

// written returns the bytes of a part.
func written(t testing.TB, rows []row, end totals) []byte {
	t.Helper()
	b := &blob{}
	write(t, b, rows, end)
	return b.body
}

var threeRows = []row{{1, "one"}, {-2, "two\nlines \\ \"quoted\" 日本"}, {3, ""}}

func TestPart_ReadReturnsWhatWasWritten(t *testing.T) {
	store := memstore.New(t)
	write(t, store, threeRows, totals{Keys: 3})
	rows, end, err := read(t.Context(), store, header)
	if err != nil || !slices.Equal(rows, threeRows) || end.Keys != 3 {
		t.Errorf("read %v, %+v, error %v", rows, end, err)
	}
	if end, err := readTotals(t.Context(), store, header); err != nil || end.Keys != 3 {
		t.Errorf("totals %+v, error %v", end, err)
	}

	if err := tryWrite(t.Context(), store, nil, totals{}); !errors.Is(err, archive.ErrPrecondition) {
		t.Errorf("the second writer of a unit returns %v, want ErrPrecondition", err)
	}
	if rows, _, err := read(t.Context(), store, header); err != nil || len(rows) != 3 {
		t.Errorf("after the second writer there are %d rows, error %v", len(rows), err)
	}
}

func TestPart_IsInvisibleUntilItIsCommitted(t *testing.T) {
	store := memstore.New(t)
	w, err := part.Create(t.Context(), store, key, header)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100_000 { // more than one piece of a multipart upload
		if err := w.Row(row{int64(i), strings.Repeat("x", 100)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := readTotals(t.Context(), store, header); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("reading before Commit returns %v, want ErrNotFound", err)
	}
	w.Abort()
	if _, _, err := read(t.Context(), store, header); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("reading after Abort returns %v, want ErrNotFound", err)
	}
}

func TestPart_ReadReturnsAnyRowsAndTotals(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(func(rt *rapid.T) row {
			return row{rapid.Int64().Draw(rt, "id"), rapid.String().Draw(rt, "text")}
		})).Draw(rt, "rows")
		end := totals{Keys: rapid.Int64().Draw(rt, "keys"), Note: strings.Repeat("n", rapid.SampledFrom([]int{0, 10, 65_000, 70_000}).Draw(rt, "length"))}
		b := &blob{}
		if err := tryWrite(t.Context(), b, rows, end); err != nil {
			rt.Fatal(err)
		}
		got, gotEnd, err := read(t.Context(), b, header)
		if err != nil || !slices.Equal(got, rows) || gotEnd != end {
			rt.Fatalf("read %d of %d rows, error %v", len(got), len(rows), err)
		}
		if gotEnd, err := readTotals(t.Context(), b, header); err != nil || gotEnd != end {
			rt.Fatalf("totals differ, error %v", err)
		}
	})
}

func TestPart_TruncatedAnywhereIsAnError(t *testing.T) {
	whole := written(t, threeRows, totals{Keys: 3})
	for length := range whole {
		b := &blob{body: whole[:length]}
		if rows, _, err := read(t.Context(), b, header); fault.CodeOf(err) != fault.Internal {
			t.Errorf("cut to %d of %d bytes, %d rows were read with error %v", length, len(whole), len(rows), err)
		}
		if end, err := readTotals(t.Context(), b, header); fault.CodeOf(err) != fault.Internal {
			t.Errorf("cut to %d of %d bytes, the totals are %+v, error %v", length, len(whole), end, err)
		}
	}
}

func TestPart_AFlippedBitIsAnError(t *testing.T) {
	whole := written(t, threeRows, totals{Keys: 3, Note: "n"})
	lastLine := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for at := range whole {
		for bit := range 8 {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 1 << bit
			b := &blob{body: damaged}
			if rows, end, err := read(t.Context(), b, header); fault.CodeOf(err) != fault.Internal {
				t.Errorf("bit %d of byte %d: read %v, %+v, error %v", bit, at, rows, end, err)
			}
			if end, err := readTotals(t.Context(), b, header); at >= lastLine && fault.CodeOf(err) != fault.Internal {
				t.Errorf("bit %d of byte %d: totals %+v, error %v", bit, at, end, err)
			}
		}
	}
}

func TestPart_MissingDoubledOrSwappedLinesAreAnError(t *testing.T) {
	lines := bytes.SplitAfter(written(t, threeRows, totals{Keys: 3}), []byte("\n"))
	lines = lines[:len(lines)-1]
	other := bytes.SplitAfter(written(t, []row{{9, "nine"}}, totals{Keys: 1}), []byte("\n"))
	tests := map[string][][]byte{
		"a row missing":               {lines[0], lines[1], lines[3], lines[4]},
		"all rows missing":            {lines[0], lines[4]},
		"a row doubled":               {lines[0], lines[1], lines[1], lines[2], lines[3], lines[4]},
		"rows swapped":                {lines[0], lines[2], lines[1], lines[3], lines[4]},
		"no header":                   {lines[1], lines[2], lines[3], lines[4]},
		"no footer":                   lines[:4],
		"another part's footer":       {lines[0], lines[1], lines[2], lines[3], other[2]},
		"two footers":                 {lines[0], lines[1], lines[2], lines[3], lines[4], lines[4]},
		"a row after the footer":      {lines[0], lines[1], lines[2], lines[3], lines[4], lines[1]},
		"an empty line after the end": {lines[0], lines[1], lines[2], lines[3], lines[4], []byte("\n")},
		"nothing":                     nil,
	}
	for name, lines := range tests {
		t.Run(name, func(t *testing.T) {
			b := &blob{body: bytes.Join(lines, nil)}
			if rows, end, err := read(t.Context(), b, header); fault.CodeOf(err) != fault.Internal {
				t.Errorf("read %v, %+v, error %v", rows, end, err)
			}
		})
	}
}

func TestPart_OfAnotherUnitIsAnError(t *testing.T) {
	b := &blob{}
	write(t, b, threeRows, totals{Keys: 3})
	for name, want := range map[string]part.Header{
		"task": {TaskID: "td_2", PlanHash: header.PlanHash, Unit: header.Unit},
		"plan": {TaskID: header.TaskID, PlanHash: "00", Unit: header.Unit},
		"unit": {TaskID: header.TaskID, PlanHash: header.PlanHash, Unit: "confirm-000007"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := read(t.Context(), b, want); fault.CodeOf(err) != fault.Internal {
				t.Errorf("reading returns %v, want an Internal error", err)
			}
			if _, err := readTotals(t.Context(), b, want); fault.CodeOf(err) != fault.Internal {
				t.Errorf("ReadTotals returns %v, want an Internal error", err)
			}
		})
	}
}

func TestReader_TotalsBeforeTheEndAreAnError(t *testing.T) {
	b := &blob{}
	write(t, b, threeRows, totals{Keys: 3})
	r, err := part.Open(t.Context(), b, key, header)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var end totals
	if err := r.Totals(&end); fault.CodeOf(err) != fault.Internal {
		t.Errorf("Totals before the rows returns %v, want an Internal error", err)
	}
}

func TestPart_AnErrorOfTheStoreIsNotReportedAsDamage(t *testing.T) {
	b := &blob{}
	write(t, b, threeRows, totals{Keys: 3})
	store := faulty.Wrap(b)
	for _, op := range []faulty.Op{faulty.Get, faulty.Stat, faulty.GetRange} {
		store.On(op, key, faulty.Always(faulty.FailBefore))
	}
	if _, _, err := read(t.Context(), store, header); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("reading returns %v, want Unavailable", err)
	}
	if _, err := readTotals(t.Context(), store, header); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("ReadTotals returns %v, want Unavailable", err)
	}
}

func TestWriter_AValueThatIsNotJSONLeavesNoPart(t *testing.T) {
	store := memstore.New(t)
	w, err := part.Create(t.Context(), store, key, header)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Row(func() {}); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a row that is not JSON returns %v, want an Internal error", err)
	}
	if err := w.Commit(t.Context(), func() {}); fault.CodeOf(err) != fault.Internal {
		t.Errorf("totals that are not JSON return %v, want an Internal error", err)
	}
	if _, err := readTotals(t.Context(), store, header); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("reading a part that could not be committed returns %v, want ErrNotFound", err)
	}
}

func FuzzOpen(f *testing.F) {
	whole := written(f, threeRows, totals{Keys: 3})
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(written(f, nil, totals{}))
	f.Add([]byte("{}\n{}\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := &blob{body: body}
		rows, end, err := read(t.Context(), b, header)
		if err != nil {
			return
		}
		if lines := bytes.Count(body, []byte("\n")); lines != len(rows)+2 {
			t.Errorf("%d rows were read from a part of %d lines", len(rows), lines)
		}
		if last, err := readTotals(t.Context(), b, header); err != nil || last != end {
			t.Errorf("the totals are %+v after all rows, %+v without them (error %v)", end, last, err)
		}
		if _, _, err := read(t.Context(), &blob{body: body[:len(body)-1]}, header); err == nil {
			t.Errorf("a part without its last byte is accepted too: %q", body)
		}
	})
}
