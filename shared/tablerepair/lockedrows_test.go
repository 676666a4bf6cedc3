package tablerepair

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/shared/table"
)

// lockAll adds the rows of parts of keys to a lockedRows, as lockRows does. A nil row
// stands for a key without a row.
func lockAll(t testing.TB, parts [][]table.Row) *lockedRows {
	t.Helper()
	locked := &lockedRows{}
	first := int64(0)
	for n, rows := range parts {
		memory := locked.collect(n)
		for at, row := range rows {
			if row == nil {
				continue
			}
			locked.places.Add(first + int64(at))
			var err error
			if memory, err = locked.add(memory, at, row); err != nil {
				t.Fatal(err)
			}
		}
		first += int64(len(rows))
		if err := locked.keep(memory); err != nil {
			t.Fatal(err)
		}
	}
	return locked
}

func TestLockedRows_ReturnsTheRowsOfEachWindow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) table.Row { return drawRow(rt, "row") }), 1, 20), 1, 3).Draw(rt, "parts")
		locked := lockAll(t, parts)
		for n, rows := range parts {
			part, err := locked.open(n)
			if err != nil || part == nil {
				rt.Fatalf("part %d: %v, error %v", n, part, err)
			}
			for len(rows) > 0 {
				size := rapid.IntRange(1, len(rows)).Draw(rt, "window")
				var got []table.Row
				err := eachRow(part.window(size), size, func(_ int, row table.Row) error {
					got = append(got, row)
					return nil
				})
				if diff := cmp.Diff(rows[:size], got); err != nil || diff != "" {
					rt.Fatalf("part %d: error %v (-locked +read):\n%s", n, err, diff)
				}
				rows = rows[size:]
			}
		}
	})
}

func TestLockedRows_StopsAtItsBoundAndReadsFurtherPartsAgain(t *testing.T) {
	text := string(randomText(lockedBytes/3 + 1))
	row := table.Row{&text}
	locked := lockAll(t, [][]table.Row{{row}, {row}, {row}, {nil}})
	for n, want := range []bool{true, true, false, false} {
		part, err := locked.open(n)
		if err != nil || (part != nil) != want {
			t.Errorf("part %d: %v, error %v", n, part, err)
		}
		if locked.places.Has(int64(n)) != (n < 3) {
			t.Errorf("key %d is locked: %v", n, !want)
		}
	}
}

// One part of keys may have more than the bound: 10,000 rows of any size.
func TestLockedRows_StopsAtItsBoundWithinAPart(t *testing.T) {
	text := string(randomText(lockedBytes/3 + 1))
	row := table.Row{&text}
	locked := lockAll(t, [][]table.Row{{nil, row, row, row, row}, {row}})
	for n := range 2 {
		if part, err := locked.open(n); err != nil || part != nil {
			t.Errorf("part %d: %v, error %v", n, part, err)
		}
	}
	for key := range int64(6) {
		if locked.places.Has(key) != (key > 0) {
			t.Errorf("key %d is locked: %v", key, key == 0)
		}
	}
}

// randomText returns a text that cannot be compressed to half of its size.
func randomText(size int) []byte {
	var b strings.Builder
	for i := uint64(1); b.Len() < size; i++ {
		b.WriteString(strconv.FormatUint(i*0x9E3779B97F4A7C15, 36))
	}
	return []byte(b.String()[:size])
}
