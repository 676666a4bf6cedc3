package client

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"ace/shared/api"
	"ace/shared/setfile"
	"ace/shared/visible"
)

func TestSafe_ShowsWhatCouldMoveTheCursor(t *testing.T) {
	for text, want := range map[string]string{
		"plain, Größe, 漢字, 🙂":       "plain, Größe, 漢字, 🙂",
		"\x1b[31mred":               `\x1b[31mred`,
		"a\nb\rc\td\x00":            `a\nb\rc\td\x00`,
		"\u202eabc\u2066\u200b":     `\u202eabc\u2066\u200b`,
		"\u009b2J":                  `\u009b2J`,
		"bad \xff byte":             `bad \ufffd byte`,
		"line\u2028paragraph\u2029": `line\u2028paragraph\u2029`,
	} {
		if got := safe(text); got != want {
			t.Errorf("safe(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("\x1b]0;title\x07")
	f.Fuzz(func(t *testing.T, text string) {
		got := safe(text)
		if i := strings.IndexFunc(got, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }); i >= 0 {
			t.Errorf("safe(%q) = %q, which has a control character at %d", text, got, i)
		}
		if strings.IndexFunc(text, visible.IsUnsafe) < 0 && utf8.ValidString(text) && !strings.ContainsRune(text, utf8.RuneError) && got != text {
			t.Errorf("safe(%q) = %q", text, got)
		}
	})
}

func TestFigures_AreEasyToRead(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{humanize.Comma(0), "0"}, {humanize.Comma(999), "999"}, {humanize.Comma(1000), "1,000"}, {humanize.Comma(-1), "-1"}, {humanize.Comma(-100), "-100"}, {humanize.Comma(-1234567), "-1,234,567"},
		{countRows(1), "1 row"}, {countRows(2000), "2,000 rows"},
		{seconds(0.0034), "3 ms"}, {seconds(1.25), "1.2 s"}, {seconds(59.94), "59.9 s"}, {seconds(3725), "1h2m5s"},
		{humanize.Bytes(999), "999 B"}, {humanize.Bytes(1500), "1.5 kB"}, {humanize.Bytes(2_000_000), "2.0 MB"}, {humanize.Bytes(3_500_000_000), "3.5 GB"},
		{columnCounts(map[string]int64{"b": 2, "a": 2, "c": 9}), "c (9), a (2), b (2)"},
		{columnCounts(map[string]int64{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1}), "a (1), b (1), c (1), d (1), e (1), and 2 more"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

func TestPrintChanges_HasEveryCount(t *testing.T) {
	var out strings.Builder
	s := &session{Options: Options{Stdout: &out}}
	node := api.NodeRepair{Inserted: 1, Updated: 2, Deleted: 3, Unchanged: 4, Skipped: 5, Unrepairable: 6, Outcome: api.OutcomeCommitted}
	s.printChanges(task{TaskStatus: api.TaskStatus{TaskID: "tr_20240315_123500", TaskType: api.TypeTableRepair}},
		changes{Nodes: map[string]api.NodeUndo{"n2": {NodeRepair: node}}, Warnings: []string{"a warning"}})
	want := ` node │ inserted │ updated │ deleted │ unchanged │ skipped │ unrepairable │ outcome   
──────┼──────────┼─────────┼─────────┼───────────┼─────────┼──────────────┼───────────
 n2   │        1 │       2 │       3 │         4 │       5 │            6 │ committed 
warning: a warning
To undo: ace table-undo tr_20240315_123500
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// If only the replicated rows or columns of a table were compared, the table is printed
// even if it is identical, and the first line counts it.
func TestPrintSetTables_NamesWhatWasNotCompared(t *testing.T) {
	var out strings.Builder
	s := &session{Options: Options{Stdout: &out}}
	name := func(name string) api.TableName { return api.TableName{Schema: "public", Name: name} }
	d := setfile.Document{Tables: []setfile.Table{
		{Table: name("a"), Verdict: api.SetIdentical},
		{Table: name("b"), Verdict: api.SetIdentical, TaskID: "td_1", DiffFile: "x", TotalRows: 7, TableFilter: "(id > 100)"},
		{Table: name("c"), Verdict: api.SetFailed, Error: "gone", IgnoreColumns: []string{"v", "w"}},
	}}
	d.Summarize()
	s.printSetTables(d)
	for _, want := range []string{
		" public.b │ identical │    7 │         0 │ td_1 │ only rows with (id > 100) ", " public.c │ failed ", "│ gone; without the columns v, w ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "public.a") {
		t.Errorf("a whole identical table is printed:\n%s", out.String())
	}

	r := api.SetResult{Tables: d.Summary.Tables, Summary: json.RawMessage(`{"restricted":2}`)}
	if got, want := setHeadline(r), "1 failed, 2 identical, only what is replicated of 2 tables"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCheckDigest_AcceptsOnlyTheSHA256OfTheServer(t *testing.T) {
	sum := sha256.Sum256([]byte("content"))
	right := hex.EncodeToString(sum[:])
	for tag, ok := range map[string]bool{
		`"` + right + `"`: true, `"` + right + `-gzip"`: true, `W/"` + right + `"`: true,
		"": true, `"d41d8cd98f00b204e9800998ecf8427e"`: true, // not a SHA-256
		`"` + strings.Repeat("0", 64) + `"`: false,
	} {
		if err := checkDigest(tag, sum[:]); (err == nil) != ok {
			t.Errorf("ETag %s: %v", tag, err)
		}
	}
}

func TestNewServer_AcceptsAddressesAndRefusesTheRest(t *testing.T) {
	for address, base := range map[string]string{
		"localhost:5000": "http://localhost:5000", "http://10.0.0.1:5000/": "http://10.0.0.1:5000", "https://ace.example.com/prod": "https://ace.example.com/prod",
		"unix:///run/ace/ace.sock": "http://localhost", "[::1]:5000": "http://[::1]:5000",
		"ftp://x": "", "http://": "", "http://h/?x=1": "", "http://a b": "",
	} {
		server, err := newServer(address, "", tlsFiles{})
		if (err == nil) != (base != "") || err == nil && server.base != base {
			t.Errorf("%s: %v, %v", address, server, err)
		}
	}
}

func TestFiguresOf_ShowTheReasonOfARetry(t *testing.T) {
	eta := 2.5
	running := task{TaskStatus: api.TaskStatus{Status: api.StatusRunning, Progress: &api.Progress{
		Phase: "compare", Percent: 40, RowsCompared: 2_400_000, RowsTotalEstimate: 6_000_000, RowsPerSecond: 1_200_000, ETASeconds: &eta, MismatchedRows: 4,
	}}}
	want := "40 %, 2,400,000 of about 6,000,000 rows, 1,200,000 rows/s, ETA 2.5 s, 4 differ"
	if got := figuresOf(running); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	running.Progress.Retrying = "node \"n2\" is unreachable\x1b[2J"
	if got := figuresOf(running); got != `waiting, because node "n2" is unreachable\x1b[2J` {
		t.Errorf("got %q", got)
	}
}
