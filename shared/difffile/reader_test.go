package difffile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/shared/difffile"
	"ace/shared/fault"
)

func TestRead_ReturnsWhatWasWritten(t *testing.T) {
	types := []string{"bigint", "integer", "smallint", "boolean", "text", "numeric", "timestamp with time zone", "bytea"}
	rapid.Check(t, func(t *rapid.T) {
		s := matching()
		s.Columns = nil
		for i := range rapid.IntRange(1, 6).Draw(t, "columns") {
			name := rapid.StringMatching(`[a-z"\\/ é]{0,5}`).Draw(t, "name") + fmt.Sprint(i)
			s.Columns = append(s.Columns, difffile.Column{Name: name, Type: rapid.SampledFrom(types).Draw(t, "type")})
		}
		s.PrimaryKey = []string{s.Columns[0].Name}
		rows := rapid.SliceOfN(rowOf(s.Columns), 0, 8).Draw(t, "rows")
		s.Pairs[1].OnlyOn = map[string]int64{"n3": int64(len(rows))}
		src := sections{columns: s.Columns, rows: map[difffile.Pair]map[string][]difffile.Row{n13: {"n3": rows}}}
		var out bytes.Buffer
		if _, err := difffile.Write(context.Background(), &out, s, src); err != nil {
			t.Fatal(err)
		}
		got, err := read(out.Bytes())
		if err != nil {
			t.Fatalf("%v\n%s", err, out.Bytes())
		}
		if len(rows)+len(got.Rows[n13]["n3"]) > 0 && !cmp.Equal(rows, got.Rows[n13]["n3"]) {
			t.Fatalf("wrote and read differ:\n%s", cmp.Diff(rows, got.Rows[n13]["n3"]))
		}
	})
}

func rowOf(columns []difffile.Column) *rapid.Generator[difffile.Row] {
	return rapid.Custom(func(t *rapid.T) difffile.Row {
		r := make(difffile.Row, len(columns))
		for i, c := range columns {
			var text string
			switch c.Type {
			case "bigint", "integer", "smallint":
				text = fmt.Sprint(rapid.Int64().Draw(t, "integer"))
			case "boolean":
				text = rapid.SampledFrom([]string{"t", "f"}).Draw(t, "boolean")
			default:
				text = strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", "")
			}
			if rapid.IntRange(0, 4).Draw(t, "null") > 0 {
				r[i] = &text
			}
		}
		return r
	})
}

func TestRead_ReportsThePlaceOfAnError(t *testing.T) {
	s, src := differing()
	document := string(write(t, s, src))
	for name, tt := range map[string]struct{ old, new, want string }{
		"another format":       {`"ace-diff/1"`, `"ace-diff/2"`, `format "ace-diff/2"; only "ace-diff/1" is supported`},
		"no format":            {`"format":"ace-diff/1",`, `"shape":1,`, `begins with "shape"`},
		"an empty object":      {document, `{}`, "its outermost level"},
		"an array":             {document, `[]`, `expected "{"`},
		"nothing":              {document, ``, "truncated"},
		"trailing garbage":     {document, document + "x", "data after the end"},
		"a second document":    {document, document + "{}", "data after the end"},
		"an unknown member":    {`"unsettled":`, `"unsure":`, `member "unsure", which is unknown`},
		"a member too many":    {"\n}}\n", "\n},\"x\":1}\n", `member "x"`},
		"members out of order": {`"summary":`, `"diffs":`, `"diffs" where "summary" is expected`},
		"a type in the summary": {`"nodes": [`, `"nodes": [1,`,
			`at "summary": json: cannot unmarshal number`},
		"a name twice in the summary":  {`"only_on": {`, `"different": 1, "only_on": {`, `"different": it appears twice`},
		"an unknown pair":              {`"n1/n2":{`, `"n1/n4":{`, `at "diffs": the summary has no pair n1/n4`},
		"a node of another pair":       {"\"n2\":[\n{\"id\":-3", "\"n3\":[\n{\"id\":-3", `pair n1/n2, node n3: it is not a node`},
		"a node twice":                 {"\"n2\":[\n{\"id\":-3", "\"n1\":[\n{\"id\":-3", `pair n1/n2: "n1": it appears twice`},
		"rows that are not an array":   {"\"n2\":[\n{\"id\":-3", "\"n2\":{\"x\":[\n{\"id\":-3", `expected "["`},
		"a row that is not an object":  {`{"id":0,`, `null,{"id":0,`, `pair n1/n2, node n2, row 2: it must be an object`},
		"a column missing":             {`"id":0,`, ``, `pair n1/n2, node n2, row 2: it has 4 of 5 columns`},
		"a column unknown":             {`"id":0,`, `"id":0,"x":1,`, `row 2: "x": there is no such column`},
		"a column twice":               {`"id":0,`, `"id":0,"id":0,`, `row 2: "id": it appears twice`},
		"a fraction":                   {`"id":0,`, `"id":0.5,`, `row 2: "id": 0.5 is not allowed; it must be null or a number without`},
		"an exponent":                  {`"id":0,`, `"id":1e3,`, `"id": 1e3 is not allowed`},
		"a number as text":             {`"id":0,`, `"id":"0",`, `"id": "0" is not allowed`},
		"a boolean as text":            {`"ok":false`, `"ok":"f"`, `"ok": "f" is not allowed; it must be null or true or false`},
		"text as a number":             {`"NaN"`, `1.5`, `"amount": 1.5 is not allowed; it must be null or a string`},
		"half of a surrogate pair":     {`"NULL"`, `"\ud83d"`, `unpaired surrogate`},
		"the wrong half":               {`"NULL"`, `"\ud83d\u0041"`, `unpaired surrogate`},
		"a NUL":                        {`"NULL"`, `"\u0000"`, `\u0000`},
		"bytes that are not UTF-8":     {`"NULL"`, "\"\xff\"", `not valid UTF-8`},
		"a comma missing":              {"},\n{\"id\":0", "}\n{\"id\":0", `pair n1/n2, node n2, row 2: expected comma`},
		"an unsettled key too long":    {`["0"]`, `["0","1"]`, `"unsettled", pair n1/n2, row 1: it must have one value`},
		"an unsettled key of NULL":     {`["0"]`, `[null]`, `a key column is null`},
		"an unsettled key no array":    {`["0"]`, `"0"`, `row 1: it must be an array`},
		"a second unsettled":           {"\n}}\n", "\n},\"unsettled\":{}}\n", `member "unsettled", which is unknown or out of order`},
		"one spelling":                 {"\n}}\n", "\n},\"key_variants\":{\"n1/n2\":[[[\"1\"]]]}}\n", `"key_variants", pair n1/n2, row 1: it must have two keys`},
		"three spellings":              {"\n}}\n", "\n},\"key_variants\":{\"n1/n2\":[[[\"1\"],[\"1\"],[\"1\"]]]}}\n", `row 1: it must have two keys`},
		"one spelling, earlier name":   {"\n}}\n", "\n},\"respelt\":{\"n1/n2\":[[[\"1\"]]]}}\n", `"respelt", pair n1/n2, row 1: it must have two keys`},
		"key variants under two names": {"\n}}\n", "\n},\"respelt\":{},\"key_variants\":{}}\n", `member "key_variants", which is unknown or out of order`},
		"a spelling of NULL":           {"\n}}\n", "\n},\"key_variants\":{\"n1/n2\":[[[\"1\"],[null]]]}}\n", `a key column is null`},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(document, tt.old, tt.new, 1)
			if changed == document {
				t.Fatalf("%q is not in the document", tt.old)
			}
			_, err := read([]byte(changed))
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.want) {
				t.Errorf("got %v, want an Invalid fault with %q", err, tt.want)
			}
		})
	}
}

func TestRead_ADocumentTruncatedAnywhereIsInvalid(t *testing.T) {
	s, src := differing()
	document := write(t, s, src)
	for n := range bytes.TrimSpace(document) {
		if _, err := read(document[:n]); fault.CodeOf(err) != fault.Invalid {
			t.Fatalf("truncated to %d of %d bytes: %v, want an Invalid fault", n, len(document), err)
		}
	}
}

func TestRead_AnErrorOfTheStreamIsReturnedUnchanged(t *testing.T) {
	s, src := differing()
	peer := []byte(`{"summary":{"schema":"s"},"diffs":{"n1/n2":{"n1":[{"a":1}]}}}`)
	for _, document := range [][]byte{write(t, s, src), peer} {
		for _, cause := range []error{io.ErrUnexpectedEOF, io.EOF} { // a connection may end like this
			outage := fault.Wrap(cause, fault.Unavailable, "the archive broke off")
			for n := range len(document) + 1 {
				stream := io.MultiReader(bytes.NewReader(document[:n]), iotest.ErrReader(outage))
				r, err := difffile.Open(stream)
				if err == nil {
					err = r.Walk(nil, nil)
				}
				if !errors.Is(err, outage) {
					t.Fatalf("stream ended with %v after %d of %d bytes: got %v, want the stream's error", outage, n, len(document), err)
				}
			}
		}
	}
}

func TestWalk_EndsWithAnErrorOfTheCaller(t *testing.T) {
	s, src := differing()
	r, err := difffile.Open(bytes.NewReader(write(t, s, src)))
	if err != nil {
		t.Fatal(err)
	}
	errEnough := errors.New("enough")
	if err := r.Walk(func(difffile.Entry) error { return errEnough }, nil); !errors.Is(err, errEnough) {
		t.Errorf("got %v, want the caller's error", err)
	}
}

func TestRows_EndsWithTheErrorOrWhenTheCallerBreaks(t *testing.T) {
	s, src := differing()
	document := write(t, s, src)
	rows := func(document []byte, limit int) (n int, err error) {
		r, err := difffile.Open(bytes.NewReader(document))
		if err != nil {
			return 0, err
		}
		for _, err := range r.Rows() {
			if err != nil {
				return n, err
			}
			if n++; n == limit {
				break
			}
		}
		return n, nil
	}
	if n, err := rows(document, 100); n != 8 || err != nil {
		t.Errorf("all: %d rows, %v; want 8", n, err)
	}
	if n, err := rows(document, 3); n != 3 || err != nil {
		t.Errorf("stopped: %d rows, %v; want 3", n, err)
	}
	if n, err := rows(document[:len(document)-5], 100); n != 8 || fault.CodeOf(err) != fault.Invalid {
		t.Errorf("truncated: %d rows, %v; want 8 and an Invalid fault", n, err)
	}
}

func TestSection_BeginsAtAnyRow(t *testing.T) {
	s, src := differing()
	document := write(t, s, src)
	r, err := difffile.Open(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	var all []difffile.Entry
	for e, err := range r.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	for i, from := range all {
		want := slices.DeleteFunc(slices.Clone(all[i:]), func(e difffile.Entry) bool {
			return e.Pair != from.Pair || e.Node != from.Node
		})
		var got []difffile.Entry
		for e, err := range r.Section(bytes.NewReader(document[from.Offset:]), from) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("from row %d on (-want +got):\n%s", i, diff)
		}
	}
}

func TestSection_ReportsThePlaceOfAnError(t *testing.T) {
	s, src := differing()
	document := write(t, s, src)
	r, err := difffile.Open(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	from := difffile.Entry{Pair: n12, Node: "n2"}
	for stream, want := range map[string]string{
		`{"id":1}]`:    "pair n1/n2, node n2, row 1: it has 1 of 5 columns",
		`{"id":1`:      "truncated",
		`"x"]`:         "it must be an object",
		`{"id":{}}`:    `"id": {} is not allowed`,
		`{"id":1} {}]`: "it has 1 of 5 columns",
		`{"id":1,}]`:   "expected a name instead of '}'",
	} {
		var got error
		for _, err := range r.Section(strings.NewReader(stream), from) {
			got = err
		}
		if fault.CodeOf(got) != fault.Invalid || !strings.Contains(fault.PublicMessage(got), want) {
			t.Errorf("%q returns %v, want an Invalid fault with %q", stream, got, want)
		}
	}
}

// many is a source that returns the same row many times, on n1.
type many int

func (n many) Rows(ctx context.Context, pair difffile.Pair, node string) iter.Seq2[difffile.Encoded, error] {
	one := sections{rows: map[difffile.Pair]map[string][]difffile.Row{
		n12: {"n1": {row("1", "t", strings.Repeat("x", 200), "1.00", `\x00`)}},
	}}
	return func(yield func(difffile.Encoded, error) bool) {
		for encoded, err := range one.Rows(ctx, pair, node) {
			for range int(n) {
				if !yield(encoded, err) {
					return
				}
			}
		}
	}
}

func (many) Unsettled(context.Context, difffile.Pair) iter.Seq2[difffile.Row, error] {
	return each[difffile.Row](nil)
}

func (many) KeyVariants(context.Context, difffile.Pair) iter.Seq2[[2]difffile.Row, error] {
	return each[[2]difffile.Row](nil)
}

func TestWriteAndRead_NeedTheMemoryOfOneRow(t *testing.T) {
	const rows = 40_000 // 10 MB
	s := matching()
	s.Pairs[0].OnlyOn = map[string]int64{"n1": rows}
	reader, writer := io.Pipe()
	defer reader.CloseWithError(io.ErrClosedPipe)
	go func() {
		_, err := difffile.Write(context.Background(), writer, s, many(rows))
		writer.CloseWithError(err)
	}()
	r, err := difffile.Open(reader)
	if err != nil {
		t.Fatal(err)
	}
	start, n := heap(), 0
	for _, err := range r.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%10_000 == 0 && heap() > start+4<<20 {
			t.Fatalf("after %d rows the heap has grown from %d to %d bytes", n, start, heap())
		}
	}
	if n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestRead_AcceptsAValueOfManyMegabytes(t *testing.T) {
	s := matching()
	s.Pairs[0].OnlyOn = map[string]int64{"n1": 1}
	big := row("1", "t", strings.Repeat("é\n", 4<<20), "1.00", `\x00`)
	got, err := read(write(t, s, sections{rows: map[difffile.Pair]map[string][]difffile.Row{n12: {"n1": {big}}}}))
	if err != nil || *got.Rows[n12]["n1"][0][2] != *big[2] {
		t.Errorf("a value of 12 MB is read differently: %v", err)
	}
}

// endless is a document with an infinite string.
type endless struct{ started bool }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	if !e.started {
		e.started = true
		return copy(p, `{"format":"ace-diff/1","summary":"`), nil
	}
	return len(p), nil
}

func TestRead_RejectsAValueThatIsTooLong(t *testing.T) {
	_, err := difffile.OpenLimited(&endless{}, 2<<20)
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "too long; allowed are 2 MB") {
		t.Errorf("got %v, want an Invalid fault that names the limit", err)
	}
}

func TestRead_AcceptsTheEarlierNameOfKeyVariants(t *testing.T) {
	var contents [2]content
	for i, file := range []string{"respelt.json", "key_variants.json"} {
		document, err := os.ReadFile(golden(file))
		if err != nil {
			t.Fatal(err)
		}
		if contents[i], err = read(document); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if want := [][2]difffile.Row{{row("1.0", "7"), row("1.00", "7")}}; !cmp.Equal(contents[i].Variants[n12], want) {
			t.Errorf("%s: key variants %v", file, contents[i].Variants)
		}

		r, err := difffile.Open(bytes.NewReader(document))
		if err == nil {
			err = r.Check()
		}
		if err != nil {
			t.Errorf("%s: an import returns %v", file, err)
		}
	}
	if diff := cmp.Diff(contents[0], contents[1]); diff != "" {
		t.Errorf("the content differs (-respelt +key_variants):\n%s", diff)
	}
}

func TestRead_ThePeersLayouts(t *testing.T) {
	for _, file := range []string{"peer-nodes.json", "peer-rows.json", "peer-summary-first.json"} {
		t.Run(file, func(t *testing.T) {
			document, err := os.ReadFile(golden(file))
			if err != nil {
				t.Fatal(err)
			}
			r, err := difffile.Open(bytes.NewReader(document))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			err = r.Walk(func(e difffile.Entry) error {
				line := fmt.Sprint(e.Pair, " ", e.Node)
				for i, v := range e.Row {
					text := "NULL"
					if v != nil {
						text = *v
					}
					line += fmt.Sprintf(" %s=%s", e.Columns[i].Name, text)
				}
				got = append(got, line)
				return nil
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{
				"n1/n2 n1 id=9007199254740993 name=Ann ok=t tags=[1, \"a\"] note=NULL",
				"n1/n2 n2 id=9007199254740993 name=Bob ok=f tags={} note=12.50",
				"n1/n2 n2 id=7 name= ok=NULL tags=NULL note=NULL",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			s := r.Summary()
			if !r.Peer() || s.Schema != "public" || s.Table != "users" || !cmp.Equal(s.Nodes, []string{"n1", "n2"}) {
				t.Errorf("summary %+v", s)
			}
		})
	}
}

func TestRead_RejectsAnInvalidDocumentOfAPeer(t *testing.T) {
	for document, want := range map[string]string{
		`{"diffs":{}}x`:                                      "data after the end",
		`{"diffs":{},"diffs":{}}`:                            "twice",
		`{"summary":{}}`:                                     `"diffs" is missing`,
		`{"diffs":{},"format":"x"}`:                          "no such member",
		`{"diffs":{"n1":{}}}`:                                `pair "n1" is not of the form`,
		`{"diffs":{"n1/n1":{}}}`:                             `pair "n1/n1" is not of the form`,
		`{"diffs":{"n1/n2":{"n3":[]}}}`:                      "node n3: it is not a node",
		`{"diffs":{"n1/n2":{"n1":[1]}}}`:                     "row 1: it must be an object",
		`{"diffs":{"n1/n2":{"n1":[{"a":1},{"b":1}]}}}`:       "row 2: its columns differ",
		`{"diffs":{"n1/n2":{"n1":[{"a":1},{"a":1,"b":1}]}}}`: "row 2: its columns differ",
		`{"diffs":{"n1/n2":{"n1":[{"a":1,"a":1}]}}}`:         "twice",
		`{"diffs":{"n1/n2":{"rows":{"rows":{"n1":[]}}}}}`:    "node rows: it is not a node",
		`{"diffs":{},"summary":{"schema":1}}`:                "cannot unmarshal number",
	} {
		_, err := read([]byte(document))
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), want) {
			t.Errorf("%s: got %v, want an Invalid fault with %q", document, err, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"format":"ace-diff/1","summary":{"primary_key":["a"],"columns":[{"name":"a","type":"bigint"}],` +
		`"nodes":["n1","n2"],"pairs":{"n1/n2":{"only_on":{"n1":1}}}},` +
		`"diffs":{"n1/n2":{"n1":[{"a":1},{"a":null}],"n2":[]}},"unsettled":{"n1/n2":[["\u00e9\ud83d\ude00"]]}}`))
	f.Add([]byte(`{"format":"ace-diff/1","summary":{"primary_key":["a"],"columns":[{"name":"a","type":"numeric"}],` +
		`"nodes":["n1","n2"],"pairs":{"n1/n2":{"different":1}}},` +
		`"diffs":{"n1/n2":{"n1":[{"a":"1.0"}],"n2":[{"a":"1"}]}},"respelt":{"n1/n2":[[["1.0"],["1"]]]}}`))
	f.Add([]byte(`{"format":"ace-diff/1","summary":{"primary_key":["a"],"columns":[{"name":"a","type":"numeric"}],` +
		`"nodes":["n1","n2"],"pairs":{"n1/n2":{"different":1}}},` +
		`"diffs":{"n1/n2":{"n1":[{"a":"1.0"}],"n2":[{"a":"1"}]}},"key_variants":{"n1/n2":[[["1.0"],["1"]]]}}`))
	f.Add([]byte(`{"diffs":{"n1/n2":{"n1":[{"a":[1,{"b":"\\\""}],"c":true}]}},"summary":{"schema":"s"}}`))
	f.Add([]byte(`{"summary":{},"diffs":{"n1/n2":{"rows":{"n2":[{"a":-1.5e3}]}}}}`))
	f.Add([]byte(` [`))
	f.Fuzz(func(t *testing.T, document []byte) {
		r, err := difffile.Open(bytes.NewReader(document))
		if err == nil {
			err = r.Walk(func(e difffile.Entry) error {
				if len(e.Row) != len(e.Columns) {
					t.Errorf("a row of %d values for %d columns", len(e.Row), len(e.Columns))
				}
				if !r.Peer() {
					checkSection(t, r, document, e)
				}
				return nil
			}, nil)
		}
		if err == nil && !json.Valid(document) {
			t.Errorf("this is not JSON and was accepted: %q", document)
		}
		if err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("got %v, want an Invalid fault", err)
		}
	})
}

// checkSection checks that a section begins with the row at its offset.
func checkSection(t *testing.T, r *difffile.Reader, document []byte, from difffile.Entry) {
	t.Helper()
	for e, err := range r.Section(bytes.NewReader(document[from.Offset:]), from) {
		if err != nil || !cmp.Equal(e, from) {
			t.Errorf("the section of %+v begins with %+v, %v", from, e, err)
		}
		return
	}
	t.Errorf("the section of %+v is empty", from)
}

func TestValues_ReadAsEncodingJSONReadsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", "")
		quoted, err := json.Marshal(want) // may have escapes that the writer never writes
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(fmt.Appendf(nil, `{"diffs":{"n1/n2":{"n1":[ { "a" : %s , "b":[%s] } ]}}}`, quoted, quoted))
		if err != nil {
			t.Fatal(err)
		}
		if text := *got.Rows[n12]["n1"][0][0]; text != want {
			t.Fatalf("%s reads %q, want %q", quoted, text, want)
		}
	})
}

func (many) Written(context.Context, difffile.Pair, string) iter.Seq2[difffile.LastWrite, error] {
	return func(func(difffile.LastWrite, error) bool) {}
}
