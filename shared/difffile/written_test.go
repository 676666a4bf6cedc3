package difffile_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/shared/difffile"
)

// A reader can begin at any element of "written", as it can at any row.
func TestWrittenSection_BeginsAtAnyElement(t *testing.T) {
	s, rows := written()
	document := write(t, s, rows)
	r, err := difffile.Open(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	var all []difffile.WrittenEntry
	err = r.Visit(difffile.Visitor{Written: func(e difffile.WrittenEntry) error {
		all = append(all, e)
		return nil
	}})
	if err != nil || len(all) != 6 {
		t.Fatalf("%d elements, error %v", len(all), err)
	}

	for i, from := range all {
		want := []difffile.LastWrite{}
		for _, e := range all[i:] {
			if e.Pair == from.Pair && e.Node == from.Node {
				want = append(want, e.Write)
			}
		}
		got := []difffile.LastWrite{}
		for w, err := range r.WrittenSection(io.Reader(bytes.NewReader(document[from.Offset:])), from) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, w)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("from element %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestVisit_RejectsAnInvalidWrite(t *testing.T) {
	s, rows := written()
	valid := string(write(t, s, rows))
	const element = `[["-3"],"2026-11-29T02:00:01.123456Z"]`
	for _, wrong := range []string{
		`[]`, `[[]]`, `["-3"]`, `[[-3]]`, `[["-3"],5]`, `[["-3"],null]`, `[["-3"],"a","b","c"]`, `{"-3":1}`, `[["-3"],"` + strings.Repeat("x", difffile.MaxName) + `"]`,
	} {
		_, err := read([]byte(strings.Replace(valid, element, wrong, 1)))
		if err == nil || !strings.Contains(err.Error(), "written") {
			t.Errorf("%.40s: %v", wrong, err)
		}
	}
	for _, wrong := range []string{`"written":{"n1/n9":`, `"written":{"n1/n2":{"n3":[]},"n1/n2":`} {
		if _, err := read([]byte(strings.Replace(valid, "\"written\":{\n\"n1/n2\":", wrong, 1))); err == nil {
			t.Errorf("%s was accepted", wrong)
		}
	}
}

// The source is asked only for the nodes that record commit times, and its errors end the
// document.
func TestWrite_AsksOnlyNodesThatRecordCommitTimes(t *testing.T) {
	s, rows := written()
	document := string(write(t, s, rows))
	at := strings.Index(document, `"written"`)
	if at < 0 || strings.Contains(document[at:], `"n1":`) || !strings.Contains(document[at:], `"n2":[`) {
		t.Errorf("the document has %s", document[max(at, 0):])
	}
	s.CommitTimes = nil
	if document = string(write(t, s, rows)); strings.Contains(document, "written") {
		t.Error("the document has last writes although no node records them")
	}
	s.CommitTimes = []string{"n2"}
	rows.written[n12]["n2"] = slices.Insert(slices.Clone(rows.written[n12]["n2"]), 0, difffile.LastWrite{Key: row("1", "2")})
	if _, err := difffile.Write(t.Context(), io.Discard, s, rows); err == nil || !strings.Contains(err.Error(), "pair n1/n2, node n2, written") {
		t.Errorf("the error is %v", err)
	}
}
