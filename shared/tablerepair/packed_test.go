package tablerepair

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/infra/testkit/memstore"
	"ace/shared/part"
	"ace/shared/table"
)

var allFields = cmp.AllowUnexported(change{})

var update = flag.Bool("update", false, "write the golden files")

func textRow(texts ...string) table.Row {
	row := make(table.Row, len(texts))
	for i := range texts {
		if texts[i] != "NULL" {
			row[i] = &texts[i]
		}
	}
	return row
}

// goldenChanges are the changes in the golden files.
func goldenChanges() []change {
	return []change{
		{Op: opUpdate, Key: table.Key{"1", "a\"b"}, Before: textRow("1", "a\"b", "old", "NULL"), Columns: []int{2}, After: textRow("new"), Digest: -42},
		{Op: opInsert, Key: table.Key{"2", "日本"}, After: textRow("2", "日本", "", "two\nlines"), WantedColumns: []int{3, 200}, Wanted: textRow("NULL", "x")},
		{Op: opDelete, Key: table.Key{"3", ""}, Before: textRow("3", "", strings.Repeat("long ", 60), "NULL")},
	}
}

// The parts of a repair are read by later versions, because an undo needs them. lines is
// a part as versions before 30 November 2026 wrote it, packed the present form.
func TestEachChange_ReadsPartsOfEveryVersion(t *testing.T) {
	const key = "repairs/tr_1/n2/1/undo-000000"
	header := part.Header{TaskID: "tr_1", PlanHash: "aabb", Unit: "repair-n2-1-undo-000000"}
	for _, name := range []string{"lines", "packed"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "undo-"+name)
			if *update && name == "packed" {
				writeGolden(t, file, key, header)
			}
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			store := memstore.New(t)
			if _, err := store.PutIfAbsent(t.Context(), key, "application/x-ndjson", body); err != nil {
				t.Fatal(err)
			}

			var got []change
			at := int64(0)
			err = eachChange(t.Context(), store, []Stored{{Key: key, Header: header}}, whole(all), func(c numberedChange) error {
				if c.at != at {
					t.Errorf("change %d has the number %d", at, c.at)
				}
				at++
				got = append(got, c.change)
				return nil
			})
			want := goldenChanges()
			if name == "lines" {
				want[0].Digest = 0 // the lines had no digests
			}
			if diff := cmp.Diff(want, got, allFields); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}

			got = nil
			err = eachChange(t.Context(), store, []Stored{{Key: key, Header: header}}, whole(only(opInsert)), func(c numberedChange) error {
				got = append(got, c.change)
				return nil
			})
			if diff := cmp.Diff(goldenChanges()[1:2], got, allFields); err != nil || diff != "" {
				t.Errorf("only insertions: error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func writeGolden(t *testing.T, file, key string, header part.Header) {
	t.Helper()
	store := memstore.New(t)
	totals := Totals{}
	r := &recorder{store: store, header: header, totals: &totals, name: func(int) (string, string) { return key, header.Unit }}
	for _, c := range goldenChanges() {
		if err := r.add(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.endPart(t.Context()); err != nil {
		t.Fatal(err)
	}
	object, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	body, err := io.ReadAll(object.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
}

func drawChange(rt *rapid.T) change {
	c := change{
		Op: rapid.SampledFrom([]string{opInsert, opUpdate, opDelete}).Draw(rt, "op"), Key: rapid.SliceOfN(rapid.String(), 1, 3).Draw(rt, "key"),
		Before: drawRow(rt, "before"), After: drawRow(rt, "after"), Columns: rapid.SliceOfN(rapid.IntRange(0, 2000), 0, 4).Draw(rt, "columns"),
		Wanted: drawRow(rt, "wanted"), Digest: rapid.Int64().Draw(rt, "digest"),
	}
	for i := range c.Wanted {
		c.WantedColumns = append(c.WantedColumns, 3*i)
	}
	if len(c.Columns) == 0 {
		c.Columns = nil
	}
	return c
}

func TestReadPacked_ReturnsWhatWasWrittenAndNothingOfATruncatedChange(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := drawChange(rt)
		row := c.appendPacked(nil)
		read, err := readChange(row)
		if diff := cmp.Diff(c, read, allFields); err != nil || diff != "" {
			rt.Fatalf("%q: error %v (-wrote +read):\n%s", row, err, diff)
		}
		if op := storedOp(row); op != c.Op {
			rt.Fatalf("%q has the operation %q", row, op)
		}
		brief, err := readBrief(row)
		if err != nil || brief.Before != nil {
			rt.Fatalf("%q is read in brief as %+v, error %v", row, brief, err)
		}
		if err := brief.complete(); err != nil || !cmp.Equal(c, brief, allFields) {
			rt.Fatalf("%q is completed to %+v, error %v", row, brief, err)
		}
		cut := rapid.IntRange(0, len(row)-1).Draw(rt, "cut")
		if c.Digest != 0 && cut == len(row)-8 {
			return // a change without its digest
		}
		if read, err := readPacked(row[:cut]); err == nil {
			rt.Fatalf("%q is read as %+v", row[:cut], read)
		}
	})
}

func FuzzPackedChange(f *testing.F) {
	for _, c := range goldenChanges() {
		f.Add(c.appendPacked(nil))
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		c, err := readPacked(row)
		if err != nil {
			return
		}
		again, err := readPacked(c.appendPacked(nil))
		if diff := cmp.Diff(c, again, allFields); err != nil || diff != "" {
			t.Errorf("%q: error %v (-first +again):\n%s", row, err, diff)
		}
	})
}

func BenchmarkReadChange(b *testing.B) {
	c := change{Op: opUpdate, Key: table.Key{"12345"}, Columns: []int{5}, After: textRow("City 1234"), Digest: 1}
	for range 12 {
		c.Before = append(c.Before, textRow("a text of twenty bytes")...)
	}
	row := c.appendPacked(nil)
	for name, read := range map[string]func([]byte) (change, error){"whole": readChange, "brief": readBrief} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := read(row); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
