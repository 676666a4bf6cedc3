package render_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/finding"
	"ace/shared/render"
	"ace/shared/setfile"
)

// setDocument has a table of each verdict, with hostile names and messages.
func setDocument() setfile.Document {
	const hostile = `<script>alert(1)</script>`
	d := setfile.Document{
		Summary: setfile.Summary{TaskID: "sd_20240315_123456", ClusterName: "demo", DBName: hostile, Name: "public.*", Nodes: []string{"n1", "n2"}},
		Structure: []finding.Finding{{
			Kind: "column", Object: "public." + hostile, Rank: finding.Blocks, Nodes: map[string]string{"n1": "text", "n2": hostile},
			Detail: hostile, Fix: map[string]string{"n2": "ALTER TABLE " + hostile},
		}},
		Tables: []setfile.Table{
			{Table: api.TableName{Schema: "public", Name: "same"}, Verdict: api.SetIdentical, TaskID: "td_20240315_123456_aaaaaa", DiffFile: "diffs/a.json", TotalRows: 5},
			{Table: api.TableName{Schema: "public", Name: "other"}, Verdict: api.SetDifferent, TaskID: "td_20240315_123456_bbbbbb", DiffFile: "diffs/b.json", TotalRows: 5, MismatchedRows: 3},
			{Table: api.TableName{Schema: "public", Name: `=cmd|' /C calc'!A0`}, Verdict: api.SetFailed, TaskID: "javascript:alert(1)", DiffFile: "x", Error: hostile},
			{Table: api.TableName{Schema: "public", Name: "late"}, Verdict: api.SetMissing, MissingOn: []string{"n2"}, Error: "the table does not exist on n2"},
		},
	}
	d.Summarize()
	return d
}

func TestSetHTML_ListsTheWorstFirstAndLeadsToTheReports(t *testing.T) {
	var out bytes.Buffer
	if err := render.SetHTML(&out, setDocument()); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	last := -1
	for _, want := range []string{
		"differs</span>", "<strong>1 failed</strong>", "<strong>failed</strong>", "<strong>missing</strong>",
		`<a href="td_20240315_123456_bbbbbb?format=html"><bdi>public.other</bdi></a>`, `<a href="td_20240315_123456_aaaaaa?format=html"><bdi>public.same</bdi></a>`,
		"<strong>blocks</strong>",
	} {
		at := strings.Index(page, want)
		if at <= last {
			t.Errorf("%q is at %d, after %d", want, at, last)
		}
		last = at
	}
	for _, never := range []string{"<script", "javascript:", "script-src"} {
		if strings.Contains(page, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if !strings.Contains(page, "default-src &#39;none&#39;") {
		t.Error("the page has no policy")
	}
}

func TestSetHTML_ShowsAnIncompleteComparisonAsSuch(t *testing.T) {
	d := setDocument()
	d.Tables, d.Structure = []setfile.Table{d.Tables[0], d.Tables[2]}, nil
	d.Summarize()
	d.Summary.Error = "1 of 2 tables could not be compared"
	var out bytes.Buffer
	if err := render.SetHTML(&out, d); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"was not compared completely", "Not everything was compared", d.Summary.Error} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the page does not have %q", want)
		}
	}
	if strings.Contains(out.String(), `class="verdict matches"`) {
		t.Error("the page shows a match")
	}
}

// A reader must not mistake a match of the replicated rows for a match of the whole
// table.
func TestSet_NamesWhatWasNotCompared(t *testing.T) {
	d := setDocument()
	d.Tables, d.Structure = d.Tables[:1], nil
	d.Tables[0].TableFilter, d.Tables[0].IgnoreColumns = "(id > 100)", []string{"v", "<w>"}
	d.Summarize()
	var page, table bytes.Buffer
	if err := errors.Join(render.SetHTML(&page, d), render.SetCSV(&table, d)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"matches</span>", "<strong>Of 1 table only the replicated rows or columns were compared.</strong>",
		"only rows with (id &gt; 100), without the columns v, &lt;w&gt;",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not have %q:\n%s", want, page.String())
		}
	}
	lines, err := csv.NewReader(&table).ReadAll()
	if err != nil || len(lines) != 2 || !slices.Equal(lines[0][8:], []string{"table_filter", "ignore_columns"}) || !slices.Equal(lines[1][8:], []string{"(id > 100)", "v,<w>"}) {
		t.Errorf("%v, the lines are %q", err, lines)
	}
}

func TestSetCSV_HasALineForEachTableAndFinding(t *testing.T) {
	var out bytes.Buffer
	if err := render.SetCSV(&out, setDocument()); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != 6 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if lines[0][0] != "table" || lines[1][1] != api.SetFailed || lines[3][3] != "3" || lines[5][1] != "blocks" {
		t.Errorf("the lines are %q", lines)
	}
	if name := lines[1][0]; !strings.HasPrefix(name, `public."=`) {
		t.Errorf("the name is %q", name)
	}
}
