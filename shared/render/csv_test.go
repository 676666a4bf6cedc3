package render_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/infra/testkit/difftest"
	"ace/shared/difffile"
	"ace/shared/render"
	"ace/shared/rowpairs"
)

func csvOf(t testing.TB, s difffile.Summary, found difftest.Findings) string {
	t.Helper()
	var out bytes.Buffer
	if err := render.CSV(t.Context(), &out, difftest.Opener(t, difftest.Document(t, s, found))); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestCSV_HasALineForEachRowOfADifference(t *testing.T) {
	s := difftest.Summary([]string{"n1", "n2"},
		difffile.Column{Name: "note", Type: "text"}, difffile.Column{Name: "id", Type: "bigint"}, difffile.Column{Name: "amount", Type: "numeric"},
		difffile.Column{Name: "=evil", Type: "boolean"})
	s.PrimaryKey = []string{"id"}
	got := csvOf(t, s, difftest.List{n12: {
		{Rows: [2]difffile.Row{difftest.Row("", "-3", "-1.50", "t"), difftest.Row(difftest.Null, "-3", "NaN", "f")}},
		{Rows: [2]difffile.Row{difftest.Row("=1+1", "7", difftest.Null, "t"), nil}, Unsettled: true},
		{Rows: [2]difffile.Row{nil, difftest.Row("say \"hi\",\nBob", "8", "1", difftest.Null)}},
	}}.Each)
	want := strings.Join([]string{
		`ace_difference,ace_pair,ace_kind,ace_unsettled,ace_node,id,note,amount,"'=evil"`,
		`1,n1/n2,different,false,n1,-3,"",-1.50,t`,
		`1,n1/n2,different,false,n2,-3,,NaN,f`,
		`2,n1/n2,only_on_n1,true,n1,7,"'=1+1",,t`,
		"3,n1/n2,only_on_n2,false,n2,8,\"say \"\"hi\"\",\nBob\",1,",
		"",
	}, "\r\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The times are those of the row of the line, also after rows were removed from the
// document.
func TestCSV_HasTheLastWriteOfEachRow(t *testing.T) {
	document, err := os.ReadFile(filepath.Join("..", "..", "testdata", "diffs", "written.json"))
	if err != nil {
		t.Fatal(err)
	}
	lines := func(document []byte) []string {
		var out bytes.Buffer
		if err := render.CSV(t.Context(), &out, difftest.Opener(t, document)); err != nil {
			t.Fatal(err)
		}
		var found []string
		for line := range strings.SplitSeq(strings.ReplaceAll(out.String(), "\n<b>", " <b>"), "\r\n") {
			if fields := strings.SplitN(line, ",", 9); len(fields) == 9 {
				found = append(found, strings.Join(fields[1:8], ","))
			}
		}
		return found
	}
	all := []string{
		"ace_pair,ace_kind,ace_unsettled,ace_node,ace_written_at,ace_origin,id",
		"n1/n2,different,false,n1,,,-3",
		"n1/n2,different,false,n2,2026-11-29T02:00:01.123456Z,,-3",
		"n1/n2,only_on_n2,true,n2,2026-11-29T02:00:02.000000Z,\"from \"\"n1\"\" <b>\",0",
		"n1/n2,only_on_n1,false,n1,,,9007199254740993",
		"n2/n3,different,false,n2,2026-11-29T02:00:01.123456Z,,-3",
		"n2/n3,different,false,n3,,,-3",
		"n2/n3,only_on_n2,false,n2,2026-11-29T02:00:02.000000Z,\"from \"\"n1\"\" <b>\",0",
		"n2/n3,only_on_n3,false,n3,2026-11-30T00:00:00.000001Z,pg_16390,9007199254740993",
	}
	if diff := cmp.Diff(all, lines(document)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// An operator removes the row with the key -3 of n2 from both pairs.
	removed := "{\"id\":-3,\"ok\":true,\"na\\\"me\":\"Ann\",\"amount\":\"1.00\",\"raw\":\"\\\\x00ff\"},\n"
	if bytes.Count(document, []byte(removed)) != 2 {
		t.Fatal("the document does not have the row twice")
	}
	left := lines(bytes.ReplaceAll(document, []byte(removed), nil))
	for _, want := range []string{all[3], all[7], all[8]} {
		if !slices.Contains(left, want) {
			t.Errorf("%s is not in %v", want, left)
		}
	}
}

func TestCSV_PairsTheVariantsOfAKeyInDocumentsOldAndNew(t *testing.T) {
	want := strings.Join([]string{
		"ace_difference,ace_pair,ace_kind,ace_unsettled,ace_node,amount,id,ok,\"na\"\"me\",raw",
		"1,n1/n2,only_on_n1,true,n1,0.5,7,t,a,",
		"2,n1/n2,different,false,n1,1.0,7,t,b,",
		"2,n1/n2,different,false,n2,1.00,7,t,b,",
		"",
	}, "\r\n")
	for _, file := range []string{"respelt.json", "key_variants.json"} {
		document, err := os.ReadFile(filepath.Join("..", "..", "testdata", "diffs", file))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := render.CSV(t.Context(), &out, difftest.Opener(t, document)); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
		if err := render.HTML(t.Context(), &out, difftest.Opener(t, document)); err != nil {
			t.Errorf("%s as HTML: %v", file, err)
		}
	}
}

func TestCSV_OfAMatchIsAHeader(t *testing.T) {
	got := csvOf(t, difftest.Summary([]string{"n1", "n2"}, difffile.Column{Name: "id", Type: "bigint"}), difftest.List{}.Each)
	if got != "ace_difference,ace_pair,ace_kind,ace_unsettled,ace_node,id\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestCSV_AStrictReaderReadsEveryValue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s, list := drawDocument(rt)
		document := difftest.Document(rt, s, list.Each)
		var out bytes.Buffer
		if err := render.CSV(context.Background(), &out, difftest.Opener(t, document)); err != nil {
			rt.Fatal(err)
		}
		got, err := parseCSV(out.String())
		if err != nil {
			rt.Fatalf("%v in %q", err, out.String())
		}
		if diff := cmp.Diff(expectedLines(rt, t, document), got); diff != "" {
			rt.Fatalf("(-document +read back):\n%s\n%s", diff, out.String())
		}
	})
}

// expectedLines returns the lines that the CSV of a document must have.
func expectedLines(rt *rapid.T, t *testing.T, document []byte) [][]*string {
	doc, err := rowpairs.Open(context.Background(), difftest.Opener(t, document))
	if err != nil {
		rt.Fatal(err)
	}
	s := doc.Summary()
	order := slices.Clone(doc.Key())
	header := difftest.Row("ace_difference", "ace_pair", "ace_kind", "ace_unsettled", "ace_node")
	for at := range s.Columns {
		if !slices.Contains(doc.Key(), at) {
			order = append(order, at)
		}
	}
	for _, at := range order {
		header = append(header, textOrNull(s.Columns[at].Name))
	}
	lines, n := [][]*string{header}, 0
	for d, err := range doc.Differences(context.Background()) {
		if err != nil {
			rt.Fatal(err)
		}
		n++
		kind := []string{"different", "only_on_" + d.Pair[0], "only_on_" + d.Pair[1]}[d.Kind()]
		for side, row := range d.Rows {
			if row == nil {
				continue
			}
			line := difftest.Row(fmt.Sprint(n), d.Pair.String(), kind, fmt.Sprint(d.Unsettled), d.Pair[side])
			for _, at := range order {
				line = append(line, row[at])
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func textOrNull(s string) *string { return &s }

func TestCSV_NoFieldIsAFormulaAndNumbersStayNumbers(t *testing.T) {
	for value, want := range map[string]string{
		"-5": "-5", "-0.50": "-0.50", "-1e-07": "-1e-07", "1.5e+300": "1.5e+300", "0": "0", "NaN": "NaN", "Infinity": "Infinity",
		"-Infinity": `"'-Infinity"`, "-5 apples": `"'-5 apples"`, "--5": `"'--5"`, "-": `"'-"`, "-$1.00": `"'-$1.00"`, "+5": `"'+5"`,
		"-5\n": "\"'-5\n\"", "=1": `"'=1"`, "@x": `"'@x"`, "\t1": "\"'\t1\"", "\r1": "\"'\r1\"", "\n1": "\"'\n1\"", " =1": `"' =1"`, "\u200b=1": "\"'\u200b=1\"",
		"＝1": `"'＝1"`, "'": `"''"`, "'x": `"''x"`, "it's": "it's", "a=1": "a=1", "2024-03-15": "2024-03-15", "": `""`, " ": `" "`,
		"-99:00:00": `"'-99:00:00"`, "(-1)": "(-1)", "{-1}": "{-1}", "\x01-1": "\"'\x01-1\"", "\\.": "\\.",
	} {
		s := difftest.Summary([]string{"n1", "n2"}, difffile.Column{Name: "id", Type: "bigint"}, difffile.Column{Name: "v", Type: "text"})
		got := csvOf(t, s, difftest.List{n12: {{Rows: [2]difffile.Row{difftest.Row("1", value), nil}}}}.Each)
		_, got, _ = strings.Cut(got, "\r\n")
		if got != "1,n1/n2,only_on_n1,false,n1,1,"+want+"\r\n" {
			t.Errorf("%q is written %q, want a last field of %s", value, got, want)
		}
	}
}

func TestCSV_NodeNamesCannotBeFormulas(t *testing.T) {
	s := difftest.Summary([]string{"=n1", "n,2"}, difffile.Column{Name: "id", Type: "bigint"})
	got := csvOf(t, s, difftest.List{difffile.Pair{"=n1", "n,2"}: {{Rows: [2]difffile.Row{nil, difftest.Row("1")}}}}.Each)
	if !strings.HasSuffix(got, "\r\n"+`1,"'=n1/n,2","only_on_n,2",false,"n,2",1`+"\r\n") {
		t.Errorf("got %q", got)
	}
}

var errFull = errors.New("no room")

// full is a writer with room for a number of bytes.
type full int

func (f *full) Write(p []byte) (int, error) {
	if *f -= full(len(p)); *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestCSV_ReturnsAnErrorOfTheWriter(t *testing.T) {
	t.Parallel()
	s := difftest.Summary([]string{"n1", "n2"}, difffile.Column{Name: "id", Type: "text"})
	document := difftest.Document(t, s, difftest.List{n12: {{Rows: [2]difffile.Row{difftest.Row(strings.Repeat("x", 1<<20)), nil}}}}.Each)
	for _, room := range []full{0, 1 << 18} {
		if err := render.CSV(t.Context(), &room, difftest.Opener(t, document)); !errors.Is(err, errFull) {
			t.Errorf("got %v", err)
		}
	}
}
