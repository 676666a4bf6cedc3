package part_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/part"
)

// pack writes a packed part and returns its bytes.
func pack(t testing.TB, rows [][]byte) []byte {
	t.Helper()
	b := &blob{}
	w, err := part.CreatePacked(t.Context(), b, key, header)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Line(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(t.Context(), totals{Keys: int64(len(rows))}); err != nil {
		t.Fatal(err)
	}
	return b.body
}

// unpack reads the rows of a packed part and its totals.
func unpack(t testing.TB, store archive.Store) (rows [][]byte, end totals, err error) {
	t.Helper()
	r, err := part.Open(t.Context(), store, key, header)
	if err != nil {
		return nil, end, err
	}
	defer r.Close()
	for {
		row, err := r.NextLine()
		if err != nil {
			return rows, end, err
		}
		if row == nil {
			return rows, end, r.Totals(&end)
		}
		rows = append(rows, bytes.Clone(row))
	}
}

// randomBytes returns bytes that cannot be compressed.
func randomBytes(n int) []byte {
	source := rand.NewChaCha8([32]byte{1})
	text := make([]byte, n)
	_, _ = source.Read(text)
	return text
}

func TestPacked_ReadReturnsAnyRowsAndTotals(t *testing.T) {
	random := randomBytes(2 << 20)
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) []byte {
			size := rapid.SampledFrom([]int{0, 1, 100, 100, 100, 100, 100_000, 260_000, 1_100_000}).Draw(rt, "size")
			if rapid.Bool().Draw(rt, "random") {
				return random[:size]
			}
			return bytes.Repeat([]byte("a\n"), size/2)
		}), 0, 5).Draw(rt, "rows")
		b := &blob{body: pack(t, rows)}
		got, end, err := unpack(t, b)
		if err != nil || !slices.EqualFunc(got, rows, bytes.Equal) || end.Keys != int64(len(rows)) {
			rt.Fatalf("read %d of %d rows, totals %+v, error %v", len(got), len(rows), end, err)
		}
		if end, err := readTotals(t.Context(), b, header); err != nil || end.Keys != int64(len(rows)) {
			rt.Fatalf("totals %+v, error %v", end, err)
		}
	})
}

func TestPacked_TruncatedOrFlippedAnywhereIsAnError(t *testing.T) {
	whole := pack(t, [][]byte{[]byte("one"), bytes.Repeat([]byte("two\n"), 100), randomBytes(50), {}})
	check := func(body []byte, what string, at int) {
		t.Helper()
		if rows, _, err := unpack(t, &blob{body: body}); err == nil || fault.CodeOf(err) != fault.Internal {
			t.Errorf("%s at byte %d of %d: %d rows, error %v", what, at, len(whole), len(rows), err)
		}
	}
	for at := range whole {
		check(whole[:at], "truncated", at)
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1 << (at % 8)
		check(damaged, "a flipped bit", at)
	}
}

// A damaged packed part may have sizes that no memory can hold. A reader must not
// allocate them.
func TestPacked_HugeSizesAreAnError(t *testing.T) {
	head, _, _ := bytes.Cut(pack(t, nil), []byte("\n"))
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}
	for name, sizes := range map[string][]byte{"raw": append(bytes.Clone(huge), huge...), "compressed": append([]byte{9}, huge...)} {
		body := slices.Concat(head, []byte("\n"), sizes, []byte("some bytes\n"))
		if rows, _, err := unpack(t, &blob{body: body}); err == nil {
			t.Errorf("%s: %d rows", name, len(rows))
		}
	}
}

func TestPacked_AnUnknownPackingIsNamed(t *testing.T) {
	body := bytes.Replace(pack(t, nil), []byte(`"s2"`), []byte(`"lz99"`), 1)
	if _, _, err := unpack(t, &blob{body: body}); err == nil || !bytes.Contains([]byte(fault.PublicMessage(err)), []byte("lz99")) {
		t.Errorf("error %v", err)
	}
}

func FuzzPacked(f *testing.F) {
	f.Add(pack(f, nil))
	f.Add(pack(f, [][]byte{[]byte("one"), bytes.Repeat([]byte("two\n"), 100)}))
	f.Add(pack(f, [][]byte{randomBytes(600), {}}))
	f.Fuzz(func(t *testing.T, body []byte) {
		rows, _, err := unpack(t, &blob{body: body})
		if err != nil || !bytes.Contains(body, []byte(`"packing":"s2"`)) {
			return
		}
		again, _, err := unpack(t, &blob{body: pack(t, rows)})
		if err != nil || !slices.EqualFunc(again, rows, bytes.Equal) {
			t.Errorf("%q: %q is read again as %q, error %v", body, rows, again, err)
		}
	})
}
