package render_test

import (
	"bytes"
	"iter"
	"strings"
	"testing"

	"ace/infra/testkit/difftest"
	"ace/infra/testkit/rendertest"
	"ace/shared/difffile"
	"ace/shared/render"
)

func TestRows_OfAllPagesAreThoseOfTheWholePage(t *testing.T) {
	s := rendertest.Customers("n1", "n2")
	found := func(difffile.Pair) iter.Seq[difftest.Found] { return rendertest.Drift(25) }
	whole, err := readPage(htmlOf(t, s, found))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, chunk := range whole.chunks {
		want = append(want, chunk.Keys...)
	}

	open := difftest.Opener(t, difftest.Document(t, s, found))
	var got []string
	for first := int64(0); first < 30; first += 10 {
		var out bytes.Buffer
		excerpt, err := render.Rows(t.Context(), &out, open, first, 10)
		if err != nil {
			t.Fatal(err)
		}
		page, err := readPage(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for _, chunk := range page.chunks {
			got = append(got, chunk.Keys...)
		}
		if shown := min(10, 25-first); excerpt != (render.Excerpt{First: first, Shown: shown, Found: 25}) {
			t.Errorf("after %d differences the excerpt is %+v", first, excerpt)
		}
		if first > 0 && !strings.Contains(out.String(), `"found":25`) {
			t.Errorf("the layout does not have the number of all differences: %s", out.Bytes()[:2000])
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the pages have the keys %q, the whole page has %q", got, want)
	}
}

func TestRows_WithoutScriptsAreOnePlainTable(t *testing.T) {
	s := rendertest.Customers("n1", "n2")
	hostile, long := "</noscript><script>alert(1)</script>\u202e", strings.Repeat("x", 500)
	row := func(status, note *string) difffile.Row {
		r := rendertest.Customer(1)
		r[4], r[9] = status, note
		return r
	}
	var out bytes.Buffer
	open := difftest.Opener(t, difftest.Document(t, s, func(difffile.Pair) iter.Seq[difftest.Found] {
		return func(yield func(difftest.Found) bool) {
			_ = yield(difftest.Found{Rows: [2]difffile.Row{row(&hostile, &long), row(nil, new(string))}}) &&
				yield(difftest.Found{Rows: [2]difffile.Row{rendertest.Customer(2), nil}})
		}
	}))
	if _, err := render.Rows(t.Context(), &out, open, 0, 10); err != nil {
		t.Fatal(err)
	}
	_, plain, _ := strings.Cut(out.String(), "<noscript>")
	for _, want := range []string{
		"&lt;script&gt;alert(1)", `<span class="hidden">U+202E</span>`, ">NULL<", ">empty text<", strings.Repeat("x", 200) + " …",
		">has the row<", ">no such row<",
	} {
		if !strings.Contains(plain, want) {
			t.Errorf("the table does not contain %q: %s", want, plain)
		}
	}
	if strings.Count(plain, "</noscript>") != 1 || strings.Contains(plain, "<script") || strings.Contains(plain, strings.Repeat("x", 201)) {
		t.Errorf("the table is %s", plain)
	}
}
