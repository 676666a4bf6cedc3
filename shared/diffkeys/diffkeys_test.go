package diffkeys_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/difffile"
	"ace/shared/diffkeys"
	"ace/shared/fault"
	"ace/shared/table"
)

// drawLists draws up to six lists, one pair after the other, sorted or not, with other
// spellings and repetitions.
func drawLists(t *rapid.T) []list {
	var lists []list
	sorted := rapid.Bool().Draw(t, "sorted")
	for _, pair := range []string{"n1/n2", "n1/n3", "n2/n3"} {
		for node := range strings.SplitSeq(pair, "/") {
			numbers := rapid.SliceOfN(rapid.IntRange(-30, 60), 0, 40).Draw(t, pair+" "+node)
			if sorted {
				slices.Sort(numbers)
			}

			l := list{pair: pair, node: node}
			for _, n := range numbers {
				l.keys = append(l.keys, strconv.Itoa(n)+rapid.SampledFrom([]string{"", ".0", ".00"}).Draw(t, "spelling"))
			}

			lists = append(lists, l)
		}
	}

	return lists
}

// plainly returns the keys of some lists as numbers, sorted, each once.
func plainly(lists []list, wanted func(pair string) bool) []float64 {
	set := map[float64]bool{}
	for _, l := range lists {
		for _, key := range l.keys {
			if n, _ := strconv.ParseFloat(key, 64); wanted(l.pair) {
				set[n] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func numbers(keys []string) []float64 {
	var list []float64
	for _, key := range keys {
		n, _ := strconv.ParseFloat(key, 64)
		list = append(list, n)
	}
	return list
}

func TestKeys_AreSortedForEveryOrderOfTheDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lists := drawLists(t)
		layout := rapid.SampledFrom(slices.Sorted(maps.Keys(layouts))).Draw(t, "layout")
		wanted := func(string) bool { return true }
		s := newSpool()
		fanIn := rapid.IntRange(2, 5).Draw(t, "fan-in")
		o := diffkeys.Limited(options(s), rapid.IntRange(1, 100).Draw(t, "chunk"), rapid.IntRange(1, 10).Draw(t, "head"), fanIn)
		if rapid.Bool().Draw(t, "only the pairs of n1") {
			wanted = func(pair string) bool { return strings.HasPrefix(pair, "n1/") }
			o.Pairs = func(p difffile.Pair) bool { return p[0] == "n1" }
		}

		got, err := read(layouts[layout](lists), o)
		if err != nil {
			t.Fatal(err)
		}
		if want := plainly(lists, wanted); !slices.Equal(numbers(got), want) {
			t.Fatalf("%s: got %v\nwant %v", layout, got, want)
		}
		if s.writing != 0 || s.reading != 0 || s.atOnce > fanIn {
			t.Fatalf("%d writers and %d readers were left open, %d were open at once", s.writing, s.reading, s.atOnce)
		}
	})
}

func TestKeys_CanBeReadAgain(t *testing.T) {
	s := newSpool()
	doc, err := difffile.Open(strings.NewReader(layouts["ours"]([]list{{"n1/n2", "n1", []string{"5", "3", "9", "1", "7", "2", "8"}}})))
	if err != nil {
		t.Fatal(err)
	}

	keys, err := diffkeys.Collect(t.Context(), doc, diffkeys.Limited(options(s), 1, 1, 2))
	if err != nil {
		t.Fatal(err)
	}

	for range 3 {
		var got []string
		for key, err := range keys.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, key[0])
		}

		if strings.Join(got, " ") != "1 2 3 5 7 8 9" {
			t.Errorf("got %v", got)
		}
	}
}

func TestKeys_ThatFitAreNeverSpooled(t *testing.T) {
	s := newSpool()
	same := []string{"1", "2", "3"}
	got := mustRead(t, layouts["ours"]([]list{{"n1/n2", "n1", same}, {"n1/n2", "n2", same}}), diffkeys.Limited(options(s), 4, 1, 2))
	if len(got) != 3 || s.calls != 0 {
		t.Errorf("got %v after %d calls of the spool", got, s.calls)
	}
}

func TestKeys_InOrderMakeOneRunPerList(t *testing.T) {
	s := newSpool()
	var odd, even []string
	for n := range 100 {
		odd = append(odd, strconv.Itoa(2*n+1))
		even = append(even, strconv.Itoa(2*n))
	}
	got := mustRead(t, layouts["ours"]([]list{{"n1/n2", "n1", odd}, {"n1/n2", "n2", even}}), diffkeys.Limited(options(s), 10, 5, 8))
	if len(got) != 200 || len(s.runs) != 2 {
		t.Errorf("got %d keys from %d runs", len(got), len(s.runs))
	}
}

func TestKeys_NeedLittleMemoryAndFewRankings(t *testing.T) {
	const count, chunk, head = 20_000, 1_000, 50
	var lists []list
	for i, node := range []string{"n1", "n2"} {
		l := list{pair: "n1/n2", node: node}
		for n := range count {
			l.keys = append(l.keys, strconv.Itoa(2*n+i))
		}

		lists = append(lists, l)
	}

	s, most, asked := newSpool(), 0, 0
	o := diffkeys.Limited(options(s), chunk, head, 4)
	o.Rank = func(keys []table.Key) ([]int, error) {
		most = max(most, len(keys))
		asked = asked + len(keys)
		return byNumber(keys)
	}

	if got := mustRead(t, layouts["ours"](lists), o); len(got) != 2*count {
		t.Fatalf("got %d keys", len(got))
	}
	if most > chunk || asked > 6*count {
		t.Errorf("up to %d keys were ranked at once, %d in all", most, asked)
	}
}

func TestKeys_WithLongTextAreBoundedByBytes(t *testing.T) {
	s, most := newSpool(), 0
	o := diffkeys.LimitedBytes(options(s), 5_000, 2_000)
	o.Rank = func(keys []table.Key) ([]int, error) {
		bytes := 0
		for _, key := range keys {
			bytes += len(key[0])
		}

		most = max(most, bytes)
		return byNumber(keys)
	}

	var l list
	l.pair, l.node = "n1/n2", "n1"
	for n := range 60 {
		l.keys = append(l.keys, fmt.Sprintf("%01000d", (n*37)%60))
	}

	if got := mustRead(t, layouts["ours"]([]list{l}), o); len(got) != 60 {
		t.Fatalf("got %d keys", len(got))
	}
	if limit := 4 * 3_000; most > limit {
		t.Errorf("%d bytes were ranked at once, more than %d", most, limit)
	}
}

func TestKeys_WithSeveralColumnsAreDistinguished(t *testing.T) {
	document := `{"diffs":{"n1/n2":{"n1":[{"a":"x","b":"yz"},{"a":"xy","b":"z"},{"a":"x","b":"yz"}],"n2":[{"b":"z","a":"xy"}]}}}`
	o := diffkeys.Options{Columns: []string{"b", "a"}, Rank: func(keys []table.Key) ([]int, error) {
		ranks := make([]int, len(keys))
		for i, key := range keys {
			ranks[i] = int(key[0][0]) // the first byte decides: yz before z
		}
		return ranks, nil
	}}

	if got := mustRead(t, document, o); strings.Join(got, " ") != "yz|x z|xy" {
		t.Errorf("got %v", got)
	}
}

func TestKeys_AreRepresentedByTheirCanonicalText(t *testing.T) {
	o := options(newSpool())
	o.Canonical = func(keys []table.Key) ([]table.Key, error) {
		respelt := make([]table.Key, len(keys))
		for i, key := range keys {
			respelt[i] = table.Key{strings.TrimSuffix(key[0], "!")}
		}
		return respelt, nil
	}

	got := mustRead(t, layouts["ours"]([]list{{"n1/n2", "n1", []string{"1", "2!"}}, {"n1/n2", "n2", []string{"1!", "3"}}}), o)
	if strings.Join(got, " ") != "1 2 3" {
		t.Errorf("got %v", got)
	}
}

func TestCollect_RefusesRowsWithoutAKey(t *testing.T) {
	tests := []struct{ name, document, says string }{
		{"a row without the key", `{"diffs":{"n1/n2":{"n1":[{"v":1}]}}}`, `lack column "k" of the table's key (k)`},
		{"a key that is null", `{"diffs":{"n1/n2":{"n1":[{"k":null}]}}}`, `row of pair n1/n2 on node n1 whose key column "k" is null`},
		{"a truncated document", `{"diffs":{"n1/n2":{"n1":[{"k":"1"}`, `truncated`},
		{"rows of another table after the first", `{"diffs":{"n1/n2":{"n1":[{"k":"1"},{"other":"2"}]}}}`, `columns differ`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := read(tt.document, options(newSpool()))
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.says) {
				t.Errorf("got %v, want %s", err, tt.says)
			}
		})
	}
}

func TestKeys_NoSpoolErrorLooksLikeTheEnd(t *testing.T) {
	var l list
	l.pair, l.node = "n1/n2", "n1"
	for n := range 20 {
		l.keys = append(l.keys, strconv.Itoa(n*7%20))
	}

	document := layouts["ours"]([]list{l})
	whole := newSpool()
	if got := mustRead(t, document, diffkeys.Limited(options(whole), 2, 1, 2)); len(got) != 20 {
		t.Fatalf("got %v", got)
	}
	if whole.calls < 100 {
		t.Fatalf("only %d calls of the spool", whole.calls)
	}

	for failAt := range whole.calls {
		s := newSpool()
		s.failAt = failAt
		if _, err := read(document, diffkeys.Limited(options(s), 2, 1, 2)); !errors.Is(err, errSpool) {
			t.Fatalf("call %d fails, yet the error is %v", failAt, err)
		}
		if s.writing != 0 || s.reading != 0 {
			t.Fatalf("call %d fails: %d writers and %d readers are left open", failAt, s.writing, s.reading)
		}
	}
}

func TestKeys_AreCompleteAfterAnError(t *testing.T) {
	s := newSpool()
	doc, err := difffile.Open(strings.NewReader(layouts["ours"]([]list{{"n1/n2", "n1", []string{"5", "4", "3", "2", "1"}}})))
	if err != nil {
		t.Fatal(err)
	}

	keys, err := diffkeys.Collect(t.Context(), doc, diffkeys.Limited(options(s), 1, 1, 2))
	if err != nil {
		t.Fatal(err)
	}

	s.failAt = s.calls + 3
	for _, err := range keys.All(t.Context()) {
		if err == nil {
			t.Fatal("a key came although runs could not be merged")
		}
	}

	count := 0
	for _, err := range keys.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}

	if count != 5 {
		t.Errorf("the second time %d of 5 keys came", count)
	}
}

func TestKeys_ChangedOrderIsAnError(t *testing.T) {
	s, asked := newSpool(), 0
	o := diffkeys.Limited(options(s), 4, 4, 2)
	o.Rank = func(keys []table.Key) ([]int, error) {
		ranks, err := byNumber(keys)
		if asked++; asked > 3 {
			slices.Reverse(ranks)
		}
		return ranks, err
	}

	_, err := read(layouts["ours"]([]list{{"n1/n2", "n1", []string{"5", "6", "7", "8", "1", "2", "3", "4"}}}), o)
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "order of keys changed") {
		t.Errorf("got %v", err)
	}
}

func TestKeys_MissingRankIsAnError(t *testing.T) {
	o := options(newSpool())
	o.Rank = func([]table.Key) ([]int, error) { return []int{0}, nil }
	if _, err := read(layouts["ours"]([]list{{"n1/n2", "n1", []string{"1", "2"}}}), o); fault.CodeOf(err) != fault.Internal {
		t.Errorf("got %v", err)
	}
}

func TestAll_StopsWhenTheCallerNeedsNoMore(t *testing.T) {
	s := newSpool()
	doc, err := difffile.Open(strings.NewReader(layouts["ours"]([]list{{"n1/n2", "n1", []string{"3", "2", "1"}}})))
	if err != nil {
		t.Fatal(err)
	}

	keys, err := diffkeys.Collect(context.Background(), doc, diffkeys.Limited(options(s), 1, 1, 4))
	if err != nil {
		t.Fatal(err)
	}

	for key, err := range keys.All(t.Context()) {
		if err != nil || key[0] != "1" {
			t.Fatalf("got %v, %v", key, err)
		}
		break
	}

	if s.reading != 0 {
		t.Errorf("%d runs are left open", s.reading)
	}
}
