package worker

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// The keys of these tests are numbers with trailing blanks. The index considers keys with
// the same number equal, as numeric does with 1.0 and 1.00.

func numberOf(k table.Key) int {
	n, _ := strconv.Atoi(strings.TrimRight(k[0], " "))
	return n
}

// rankNumbers ranks such keys as a server does.
func rankNumbers(keys []table.Key) ([]int, error) {
	var numbers []int
	for _, k := range keys {
		numbers = append(numbers, numberOf(k))
	}

	distinct := slices.Clone(numbers)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	ranks := make([]int, len(keys))
	for i, n := range numbers {
		ranks[i], _ = slices.BinarySearch(distinct, n)
	}

	return ranks, nil
}

// spelt returns a key with some blanks, and a digest that depends on the spelling like
// the real one.
func spelt(number, blanks, content int) table.Listed {
	return table.Listed{
		Key:    table.Key{strconv.Itoa(number) + strings.Repeat(" ", blanks)},
		Digest: int64(number*1000 + blanks*100 + content),
	}
}

// oracle finds the candidates in the slow way, number by number.
func oracle(lists [][]table.Listed) (differing map[int][]string, keys int) {
	byNumber := map[int][]string{}
	for node, list := range lists {
		for _, row := range list {
			n := numberOf(row.Key)
			if byNumber[n] == nil {
				byNumber[n] = make([]string, len(lists))
			}

			byNumber[n][node] = strconv.FormatInt(row.Digest, 10)
		}
	}

	differing = map[int][]string{}
	for n, digests := range byNumber {
		if slices.ContainsFunc(digests, func(d string) bool { return d != digests[0] }) {
			differing[n] = digests
		}
	}

	return differing, len(byNumber)
}

func TestMatchRange_FindsTheSameAsComparingKeyByKey(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lists := make([][]table.Listed, rapid.IntRange(1, 4).Draw(rt, "nodes"))
		maxBlanks := rapid.IntRange(0, 2).Draw(rt, "spellings") // 0: keys with different texts are different
		for node := range lists {
			numbers := rapid.SliceOfNDistinct(rapid.IntRange(0, 15), 0, 16, rapid.ID).Draw(rt, "numbers")
			slices.Sort(numbers)
			for _, n := range numbers {
				lists[node] = append(lists[node], spelt(n, rapid.IntRange(0, maxBlanks).Draw(rt, "blanks"), rapid.IntRange(0, 1).Draw(rt, "content")))
			}
		}

		want, wantKeys := oracle(lists)
		found, keys, err := matchRange(lists, rankNumbers)
		if err != nil {
			rt.Fatal(err)
		}

		got := map[int][]string{}
		for i, c := range found {
			if i > 0 && numberOf(found[i-1].Key) >= numberOf(c.Key) {
				rt.Fatalf("candidates are out of order: %v, %v", found[i-1].Key, c.Key)
			}

			digests := make([]string, len(c.Digest))
			for node, d := range c.Digest {
				if d != nil {
					digests[node] = strconv.FormatInt(*d, 10)
				}
			}

			got[numberOf(c.Key)] = digests
		}

		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("candidates (-want +got):\n%s", diff)
		}
		// The number of keys is checked only if each key has one spelling. With several
		// spellings, matchRange counts keys by their text unless it ranks them.
		if maxBlanks == 0 && keys != int64(wantKeys) {
			rt.Fatalf("%d distinct keys, want %d", keys, wantKeys)
		}
	})
}

func TestMatchRange_CountsTwoSpellingsOfAKeyOnce(t *testing.T) {
	lists := [][]table.Listed{
		{spelt(1, 0, 0), spelt(2, 0, 0), spelt(3, 0, 0)},
		{spelt(1, 1, 0), spelt(2, 0, 0)},
		{spelt(1, 1, 0), spelt(4, 0, 0)},
	}

	found, keys, err := matchRange(lists, rankNumbers)
	if err != nil || keys != 4 {
		t.Fatalf("%d distinct keys, error %v; want 4", keys, err)
	}

	var texts []string
	for _, c := range found {
		texts = append(texts, c.Key[0])
	}

	if want := []string{"1", "2", "3", "4"}; !slices.Equal(texts, want) {
		t.Errorf("candidates are %q, want %q", texts, want)
	}
}

func TestMatchRange_DoesNotRankKeysThatOneNodeHasInOrder(t *testing.T) {
	lists := [][]table.Listed{
		{spelt(1, 0, 0), spelt(2, 0, 0), spelt(3, 0, 0)},
		{spelt(1, 0, 1), spelt(3, 0, 1)},
	}
	found, keys, err := matchRange(lists, func([]table.Key) ([]int, error) { return nil, errors.New("asked") })
	if err != nil || keys != 3 || len(found) != 3 {
		t.Errorf("%d candidates of %d keys, error %v; want 3 of 3", len(found), keys, err)
	}
}

func TestMatchRange_KeyListedTwiceIsAnError(t *testing.T) {
	tests := map[string][][]table.Listed{
		"the same text, where the last row equals the other node's": {
			{spelt(1, 0, 1), spelt(1, 0, 0)}, {spelt(1, 0, 0)},
		},
		"two spellings": {
			{spelt(1, 0, 0), spelt(1, 1, 0)}, {spelt(2, 0, 0)},
		},
	}
	for name, lists := range tests {
		t.Run(name, func(t *testing.T) {
			found, _, err := matchRange(lists, rankNumbers)
			var twice *duplicateKeyError
			if !errors.As(err, &twice) || twice.node != 0 {
				t.Errorf("candidates %v, error %v; want an error about the first node", found, err)
			}
		})
	}
}

func TestMatchRange_FailedRankingIsAnError(t *testing.T) {
	lists := [][]table.Listed{{spelt(1, 0, 0)}, {spelt(2, 0, 0)}}
	broken := errors.New("broken")
	if _, _, err := matchRange(lists, func([]table.Key) ([]int, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want the server's error", err)
	}
	if _, _, err := matchRange(lists, func([]table.Key) ([]int, error) { return []int{0}, nil }); fault.CodeOf(err) != fault.Internal {
		t.Errorf("one rank for two keys: %v, want an Internal error", err)
	}
}

func TestMatchRange_DistinguishesCompositeKeys(t *testing.T) {
	lists := [][]table.Listed{
		{{Key: table.Key{"a", "bc"}, Digest: 1}},
		{{Key: table.Key{"ab", "c"}, Digest: 1}},
	}

	rank := func(keys []table.Key) ([]int, error) {
		order := make([]int, len(keys))
		for i := range order {
			order[i] = cmpKeys(keys[i], keys[1-i])
		}
		return order, nil
	}

	found, keys, err := matchRange(lists, rank)
	if err != nil || keys != 2 || len(found) != 2 {
		t.Errorf("%d candidates of %d keys, error %v; want 2 of 2", len(found), keys, err)
	}
}

func cmpKeys(a, b table.Key) int { return max(0, slices.Compare(a, b)) }

func TestCheckListed_RefusesMissingAndAdditionalRows(t *testing.T) {
	r := &unitRun{plan: &plan.Plan{Nodes: []string{"n1", "n2"}}}
	rows := []table.Listed{spelt(1, 0, 0), spelt(2, 0, 0), spelt(3, 0, 0)}
	var whole table.Sum
	for _, row := range rows {
		whole = whole.Add(table.Sum{Rows: 1, Digest: row.Digest})
	}

	d := differingChunk{sums: []table.Sum{whole, whole}}
	if err := r.checkListed(d, [][]table.Listed{rows, rows}); err != nil {
		t.Errorf("the same rows digested and listed: %v", err)
	}

	for name, listed := range map[string][]table.Listed{
		"a row missing":    rows[:2],
		"no row":           nil,
		"a row doubled":    slices.Concat(rows, rows[:1]),
		"another row":      {rows[0], rows[1], spelt(3, 0, 1)},
		"two other rows":   slices.Concat(rows, []table.Listed{spelt(9, 0, 0), spelt(9, 0, 0)}),
		"a row of another": {rows[0], rows[1], rows[1]},
	} {
		err := r.checkListed(d, [][]table.Listed{rows, listed})
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), `"n2"`) {
			t.Errorf("%s: %v, want an error that names the second node", name, err)
		}
	}

	if err := r.checkListed(differingChunk{}, [][]table.Listed{rows, nil}); err != nil {
		t.Errorf("a listing in another snapshot than the digests: %v", err)
	}
}

func TestCountFitting_CountsTheFirstFewThatFit(t *testing.T) {
	for _, tt := range []struct {
		most  []int64
		limit int64
		n     int
		rows  int64
	}{
		{nil, 10, 0, 0},
		{[]int64{11}, 10, 0, 0},
		{[]int64{10}, 10, 1, 10},
		{[]int64{4, 6, 1}, 10, 2, 10},
		{[]int64{4, 7, 1}, 10, 1, 4},
		{[]int64{0, 0, 11}, 10, 2, 0},
	} {
		t.Run(fmt.Sprint(tt.most), func(t *testing.T) {
			var differing []differingChunk
			for _, most := range tt.most {
				differing = append(differing, differingChunk{maxRows: most})
			}

			if n, rows := countFitting(differing, tt.limit); n != tt.n || rows != tt.rows {
				t.Errorf("%d chunks of %d rows, want %d of %d", n, rows, tt.n, tt.rows)
			}
		})
	}
}
