package page

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ace/shared/api"
	"ace/shared/endpoint"
)

// longArchive answers like an archive of three pages of documents. Only the oldest
// document differs.
type longArchive struct{}

func (longArchive) Handle(_ context.Context, req endpoint.Request) endpoint.Response {
	switch req.Path {
	case api.RouteDiffs.Path(""):
	case api.RouteClusters.Path(""):
		return endpoint.Response{Status: 200, Body: []byte(`{"clusters":[{"cluster_name":"demo"}]}`)}
	default:
		return endpoint.Response{Status: 200, Body: []byte("{}")}
	}
	table, verdict, next := "newest", api.VerdictMatch, `"2"`
	switch {
	case strings.Contains(req.RawQuery, "after=2"):
		table, next = "older", `"3"`
	case strings.Contains(req.RawQuery, "after=3"):
		table, verdict, next = "oldest", api.VerdictDiffer, `""`
	}
	return endpoint.Response{Status: 200, Body: fmt.Appendf(nil,
		`{"diffs":[{"task_id":"td_%s","task_type":"table-diff","table_name":"public.%s","verdict":%q,"mismatched_rows":1,"finished_at":"2026-01-02T03:04:05.000Z"}],"next":%s}`,
		table, table, verdict, next)}
}

// A table that was not read yet may differ.
func TestOverview_NamesNoVerdictOfAllTablesBeforeTheArchiveWasRead(t *testing.T) {
	p, err := New(Options{API: longArchive{}, OpenTasks: func(context.Context) ([]string, error) { return nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	shown := func() string {
		answer := httptest.NewRecorder()
		p.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
		_, after, _ := strings.Cut(answer.Body.String(), "<h1>")
		title, _, _ := strings.Cut(after, "</h1>")
		return title
	}

	for read := 1; p.history.advance(t.Context()); read++ {
		if title := shown(); title != "Reading the archive" {
			t.Errorf("after %d of 3 pages of the archive: %s", read, title)
		}
	}
	if err := p.history.state.Err; err != nil {
		t.Fatal(err)
	}
	if title := shown(); title != "1 of 3 tables <span>differs</span>" {
		t.Errorf("the archive was read: %s", title)
	}
}

func TestOverview_StatesThatOldDocumentsAreMissing(t *testing.T) {
	p, err := New(Options{API: longArchive{}, OpenTasks: func(context.Context) ([]string, error) { return nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range []string{"", "2"} {
		h := history{tables: map[tableKey][]point{}, next: next, read: maxHistory, begun: time.Now()}
		h.add(api.ArchivedDiff{TaskID: "td_1", TableName: "public.t", Verdict: api.VerdictMatch})
		p.history.state = kept[history]{Value: h, At: time.Now(), Complete: true}
		answer := httptest.NewRecorder()
		p.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
		if got := strings.Contains(answer.Body.String(), "Only the newest 20000 documents"); got != (next != "") {
			t.Errorf("next is %q, and the page states it: %v", next, got)
		}
	}
}

// A schema may differ although each of its tables matches: a table is missing, or the
// structure differs.
func TestOverview_NeverClaimsAMatchForASchemaThatDiffers(t *testing.T) {
	table := api.ArchivedDiff{TaskID: "td_1", TaskType: api.TypeTableDiff, TableName: "public.t", Verdict: api.VerdictMatch}
	schema := func(verdict string) api.ArchivedDiff {
		return api.ArchivedDiff{TaskID: "sd_1", TaskType: api.TypeSchemaDiff, TableName: "public.*", Verdict: verdict}
	}
	tests := []struct {
		name  string
		diffs []api.ArchivedDiff
		want  string
	}{
		{"only a schema that differs", []api.ArchivedDiff{schema(api.VerdictDiffer)}, "1 of 1 schema comparison <span>does not match</span>"},
		{"a table matches", []api.ArchivedDiff{table, schema(api.VerdictDiffer)}, "1 of 1 schema comparison <span>does not match</span>"},
		{"a schema without a verdict", []api.ArchivedDiff{table, schema("")}, "1 of 1 schema comparison <span>does not match</span>"},
		{"only a schema that matches", []api.ArchivedDiff{schema(api.VerdictMatch)}, "The schema comparison <span>matches</span>"},
		{"all match", []api.ArchivedDiff{table, schema(api.VerdictMatch)}, "The table <span>matches</span>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := New(Options{API: longArchive{}, OpenTasks: func(context.Context) ([]string, error) { return nil, nil }})
			if err != nil {
				t.Fatal(err)
			}
			h := history{tables: map[tableKey][]point{}, begun: time.Now()}
			for _, d := range tt.diffs {
				h.add(d)
			}
			p.history.state = kept[history]{Value: h, At: time.Now(), Complete: true}
			answer := httptest.NewRecorder()
			p.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/", nil))
			_, after, _ := strings.Cut(answer.Body.String(), "<h1>")
			if title, _, _ := strings.Cut(after, "</h1>"); title != tt.want {
				t.Errorf("the title is %q, want %q", title, tt.want)
			}
		})
	}
}
