package rowpairs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/infra/testkit/difftest"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/rowpairs"
)

var (
	n12 = difffile.Pair{"n1", "n2"}
	n13 = difffile.Pair{"n1", "n3"}
	n23 = difffile.Pair{"n2", "n3"}
)

// document returns a document whose key (k1, k2) is not at the beginning of its columns.
func document(t interface{ Fatal(...any) }, found difftest.List) []byte {
	s := difftest.Summary([]string{"n1", "n2", "n3"},
		difffile.Column{Name: "v", Type: "text"}, difffile.Column{Name: "k2", Type: "text"}, difffile.Column{Name: "k1", Type: "numeric"})
	s.PrimaryKey = []string{"k1", "k2"}
	return difftest.Document(t, s, found.Each)
}

func row(k1, k2, v string) difffile.Row { return difftest.Row(v, k2, k1) }

func both(k1 string) difftest.Found {
	return difftest.Found{Rows: [2]difffile.Row{row(k1, "", "a"), row(k1, "", "b")}}
}

// counted counts the streams that a test opens.
type counted struct {
	document []byte
	now, all int
}

func (c *counted) open(_ context.Context, offset int64) (io.ReadCloser, error) {
	c.now++
	c.all++
	return &stream{bytes.NewReader(c.document[offset:]), c}, nil
}

type stream struct {
	io.Reader
	of *counted
}

func (s *stream) Close() error {
	s.of.now--
	return nil
}

// drawFindings draws keys in any order. Some are written with more zeros on the second
// node.
func drawFindings(t *rapid.T) difftest.List {
	f := difftest.List{}
	for _, pair := range []difffile.Pair{n12, n13, n23} {
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(-50, 50), 0, 30, rapid.ID).Draw(t, pair.String()) {
			key := difftest.Found{Unsettled: rapid.IntRange(0, 5).Draw(t, "unsettled") == 0}
			k2 := rapid.SampledFrom([]string{"", "a", "\x01"}).Draw(t, "k2")
			kind := rapid.IntRange(0, 3).Draw(t, "kind")
			if kind != 1 {
				key.Rows[0] = row(fmt.Sprint(n), k2, "first")
			}
			if kind != 2 {
				key.Rows[1] = row(fmt.Sprint(n), k2, "second")
			}
			if kind == 3 {
				*key.Rows[1][2] += ".0"
			}
			f[pair] = append(f[pair], key)
		}
	}
	return f
}

func TestDifferences_ReturnsTheFindingsOfTheComparison(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFindings(t)
		source := &counted{document: document(t, f)}
		d, err := rowpairs.OpenWithin(context.Background(), source.open, rapid.IntRange(1, 70).Draw(t, "marks"))
		if err != nil {
			t.Fatal(err)
		}
		got := difftest.List{}
		for found, err := range d.Differences(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			got[found.Pair] = append(got[found.Pair], foundOf(found))
		}
		count := 0
		for pair, want := range f {
			count += len(want)
			for side := range pair { // each node's rows in their order
				if diff := cmp.Diff(onSide(want, side), onSide(got[pair], side)); diff != "" {
					t.Fatalf("%s, node %s (-found +read):\n%s", pair, pair[side], diff)
				}
			}
		}
		if d.Count() != int64(count) || source.now != 0 {
			t.Fatalf("%d differences are counted instead of %d, %d streams are left open", d.Count(), count, source.now)
		}
	})
}

func foundOf(d rowpairs.Difference) difftest.Found {
	return difftest.Found{Rows: d.Rows, Unsettled: d.Unsettled}
}

// onSide returns the findings of the keys that a node has.
func onSide(list []difftest.Found, side int) []difftest.Found {
	var on []difftest.Found
	for _, f := range list {
		if f.Rows[side] != nil {
			on = append(on, f)
		}
	}
	return on
}

func TestDifferences_OrdersKeysOfOneNodeOnlyByValueThenText(t *testing.T) {
	f := difftest.List{}
	for i, n := range []string{"9", "10", "10.5", "11", "100", "a", "b"} {
		key := difftest.Found{}
		key.Rows[i%2] = row(n, "", "")
		f[n12] = append(f[n12], key)
	}
	d, err := rowpairs.Open(t.Context(), (&counted{document: document(t, f)}).open)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for found, err := range d.Differences(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(found.Kind(), " ", *found.Rows[int(found.Kind())-1][2]))
	}
	want := []string{"1 9", "2 10", "1 10.5", "2 11", "1 100", "2 a", "1 b"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDifferences_ALargePairTakesNoMorePassesThanNeeded(t *testing.T) {
	f := difftest.List{}
	for n := range 1000 {
		f[n12] = append(f[n12], both(fmt.Sprint(n)))
	}
	source := &counted{document: document(t, f)}
	if _, err := rowpairs.OpenWithin(t.Context(), source.open, 600); err != nil {
		t.Fatal(err)
	}
	// 2000 marks make 4 shares. The survey reads the rows once for the first share, and
	// once per node for each other share.
	if source.all != 1+3*2 {
		t.Errorf("%d streams were opened", source.all)
	}
}

func TestOpen_RejectsRowsThatCannotBePaired(t *testing.T) {
	whole := string(document(t, difftest.List{n12: {both("1"), both("2"), {Rows: [2]difffile.Row{row("3", "", "a"), row("3.0", "", "b")}}}}))
	for name, tt := range map[string]struct{ old, new, want string }{
		"a key twice":       {`"v":"a","k2":"","k1":"2"`, `"v":"a","k2":"","k1":"1"`, "two rows of the same key for one node of pair n1/n2"},
		"a changed variant": {`["3.0",""]]`, `["3.1",""]]`, "do not belong together"},
		"another order": {
			`{"v":"b","k2":"","k1":"1"},` + "\n" + `{"v":"b","k2":"","k1":"2"}`, `{"v":"b","k2":"","k1":"2"},` + "\n" + `{"v":"b","k2":"","k1":"1"}`,
			"row 1 of node n1 and row 1 of node n2 do not belong together",
		},
		"not a document":       {whole, "{}", "outermost level"},
		"the peer's layout":    {whole, `{"diffs":{}}`, "written by another tool"},
		"a truncated document": {"}}\n", "", "truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(whole, tt.old, tt.new, 1)
			if changed == whole {
				t.Fatalf("%q is not in the document", tt.old)
			}
			source := &counted{document: []byte(changed)}
			d, err := rowpairs.Open(t.Context(), source.open)
			if err == nil {
				for _, err = range d.Differences(t.Context()) {
					if err != nil {
						break
					}
				}
			}
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.want) {
				t.Errorf("got %v, want an Invalid fault with %q", err, tt.want)
			}
			if source.now != 0 {
				t.Errorf("%d streams are left open", source.now)
			}
		})
	}
}

func TestDifferences_EndsWithTheErrorOfAnyStream(t *testing.T) {
	f := difftest.List{n12: {both("1"), {Rows: [2]difffile.Row{row("2", "", "a"), nil}}}}
	whole := document(t, f)
	outage := errors.New("the archive broke off")
	for broken := 1; broken <= 3; broken++ {
		for _, refused := range []bool{true, false} {
			source := &counted{document: whole}
			d, err := rowpairs.Open(t.Context(), func(ctx context.Context, offset int64) (io.ReadCloser, error) {
				stream, err := source.open(ctx, offset)
				if source.all != broken {
					return stream, err
				}
				if refused {
					_ = stream.Close()
					return nil, outage
				}
				return struct {
					io.Reader
					io.Closer
				}{iotest.ErrReader(outage), stream}, nil
			})
			if err == nil {
				for _, err = range d.Differences(t.Context()) {
					if err != nil {
						break
					}
				}
			}
			if !errors.Is(err, outage) || source.now != 0 {
				t.Errorf("stream %d, refused %v: got %v, %d streams left open", broken, refused, err, source.now)
			}
		}
	}
}

func TestDifferences_StopsWhenTheCallerBreaksOrIsCancelled(t *testing.T) {
	f := difftest.List{n12: {both("1"), {Rows: [2]difffile.Row{row("2", "", "a"), nil}}}}
	source := &counted{document: document(t, f)}
	d, err := rowpairs.Open(t.Context(), source.open)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range d.Differences(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen int
	for _, err = range d.Differences(ctx) {
		seen++
		cancel()
	}
	if !errors.Is(err, context.Canceled) || seen != 2 || source.now != 0 {
		t.Errorf("got %v after %d, %d streams left open", err, seen, source.now)
	}
}
