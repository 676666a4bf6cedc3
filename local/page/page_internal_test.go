package page

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ace/shared/api"
	"ace/shared/endpoint"
)

func TestCSRF_IsValidForTheProcessAndForTwelveHours(t *testing.T) {
	now := time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)
	c := newCSRF()
	token := c.token(now)
	stamp, sum, _ := strings.Cut(token, ".")
	later := strconv.FormatInt(now.Add(time.Hour).Unix(), 36)
	for _, tt := range []struct {
		token string
		age   time.Duration
		of    csrf
		want  bool
	}{
		{token, 0, c, true}, {token, 12*time.Hour - time.Second, c, true}, {token, 12 * time.Hour, c, false},
		{token, -time.Hour, c, false}, {token, 0, newCSRF(), false}, {"", 0, c, false}, {".", 0, c, false}, {stamp, 0, c, false},
		{stamp + ".", 0, c, false}, {later + "." + sum, 0, c, false}, {token + "x", 0, c, false},
	} {
		if got := tt.of.valid(tt.token, now.Add(tt.age)); got != tt.want {
			t.Errorf("%q after %s: valid is %v", tt.token, tt.age, got)
		}
	}
}

func TestWhen_IsRelativeAndHasTheTime(t *testing.T) {
	now := time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)
	for age, want := range map[time.Duration]string{
		0: "now", 59 * time.Second: "59 s ago", time.Minute: "1 min ago", 3 * time.Hour: "3 h ago", 47*time.Hour + time.Minute: "47 h ago",
		72 * time.Hour: "3 days ago", 70 * 24 * time.Hour: "2 months ago", 3 * 366 * 24 * time.Hour: "3 years ago",
		-5 * time.Minute: "in 5 min",
	} {
		got := string(when(now.Add(-age), now))
		if !strings.Contains(got, ">"+want+"<") || !strings.Contains(got, ` title="20`) || !strings.Contains(got, `<time datetime="20`) {
			t.Errorf("%s: got %s, want %s", age, got, want)
		}
	}
	if got := when(time.Time{}, now); got != "" {
		t.Errorf("no time is shown as %q", got)
	}
}

func TestChart_HasOneBarPerComparison(t *testing.T) {
	points := []point{{Verdict: api.VerdictDiffer, Mismatched: 1_000_000}, {Verdict: api.VerdictDiffer, Mismatched: 1}, {Verdict: api.VerdictMatch}}
	svg := string(chart(points))
	if strings.Count(svg, `class="bar-differ"`) != 2 || strings.Count(svg, `class="bar-match"`) != 1 {
		t.Errorf("the chart is %s", svg)
	}
	if !strings.Contains(svg, `aria-label="Differing rows, oldest comparison first: 0, 1, 1000000"`) {
		t.Errorf("the chart has another label: %s", svg)
	}
	if strings.Contains(svg, "style=") {
		t.Error("the policy of the page forbids style attributes")
	}
}

func TestVerdict_NeverShowsAMatchThatIsNone(t *testing.T) {
	for _, tt := range []struct {
		verdict     string
		rows        int64
		text, class string
	}{
		{api.VerdictMatch, 0, "match", "match"}, {api.VerdictDiffer, 1, "1 row differs", "differ"},
		{api.VerdictDiffer, 4711, "4,711 rows differ", "differ"}, {api.VerdictDiffer, 0, "differ", "differ"},
		{"", 0, "incomplete", "waiting"}, {"new", 0, "new", "differ"},
	} {
		if text, class := verdictText(tt.verdict, tt.rows), verdictClass(tt.verdict); text != tt.text || class != tt.class {
			t.Errorf("%q, %d rows: got %q, %q", tt.verdict, tt.rows, text, class)
		}
	}
	for status, class := range map[string]string{
		api.StatusFailed: "differ", api.StatusCancelled: "waiting", api.StatusQueued: "waiting", api.StatusRunning: "running", api.StatusCompleted: "waiting",
	} {
		if got := stateOf(api.TaskStatus{Status: status}); got.Class != class {
			t.Errorf("%s without a result: got %+v", status, got)
		}
	}
}

func TestHistory_KeepsTheNewestComparisonsOfEachTable(t *testing.T) {
	h := history{tables: map[tableKey][]point{}}
	day := func(n int) api.Time { return api.At(time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC)) }
	for n := range 28 {
		d := api.ArchivedDiff{TaskID: "td_" + strconv.Itoa(n), TaskType: api.TypeTableDiff, TableName: "public.a", FinishedAt: day(n + 1), Verdict: api.VerdictMatch}
		h.add(d)
		h.add(d) // the same document again
	}
	h.add(api.ArchivedDiff{TaskID: "td_b", TaskType: api.TypeTableDiff, TableName: "public.b", FinishedAt: day(1), Verdict: api.VerdictDiffer, MismatchedRows: 3})
	h.add(api.ArchivedDiff{TaskID: "td_c", TaskType: api.TypeTableDiff, TableName: "public.c", FinishedAt: day(2), Verdict: api.VerdictMatch, TableFilter: "id < 3"})

	rows := h.rows(func(string) bool { return true })
	if len(rows) != 3 || rows[0].Table != "public.b" || rows[1].Table != "public.a" {
		t.Fatalf("the tables are %+v", rows)
	}
	if a := rows[1]; len(a.Points) != maxPoints || a.Last.TaskID != "td_27" {
		t.Errorf("public.a has %d comparisons, the last is %s", len(a.Points), a.Last.TaskID)
	}
	if rows[2].Last.Partial == "" {
		t.Error("a filter is not mentioned")
	}
}

func TestFields_OfferEveryParameterOfTableDiffOnce(t *testing.T) {
	offered := map[string]bool{}
	for _, name := range notFields {
		offered[name] = true
	}
	for _, f := range fieldsOf("table-diff", usualFields, nil) {
		offered[f.Name] = true
	}
	for _, param := range operation("table-diff").Params {
		f := field{param, labelOf(param.Name), ""}
		if f.Label == "" || !strings.HasSuffix(f.Help(), ".") {
			t.Errorf("%s: label %q, help %q", param.Name, f.Label, f.Help())
		}
		if param.Default != "" && f.IsChoice() && !f.Is(param.Default) {
			t.Errorf("%s: the default is not chosen", param.Name)
		}
		delete(offered, param.Name)
	}
	if len(offered) > 0 {
		t.Errorf("table-diff has no parameters %v", offered)
	}
	if f := fieldsOf("table-diff", []string{"max_cpu_ratio"}, url.Values{"max_cpu_ratio": {"0.5"}})[0]; f.Label != "Max CPU ratio" || f.Value != "0.5" {
		t.Errorf("the field is %+v", f)
	}
}

func TestKeeper_ReadsOnlyWhatPagesAskFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads, failing := 0, false
		k := newKeeper(time.Minute, func(_ context.Context, old kept[int]) (int, bool, error) {
			reads++
			time.Sleep(10 * time.Millisecond)
			if failing {
				return 0, false, errors.New("down")
			}
			return old.Value + 1, old.Value == 0, nil // the first value has two parts
		})
		ctx, stop := context.WithCancel(t.Context())
		go k.run(ctx)
		time.Sleep(time.Hour)
		if reads != 0 {
			t.Fatalf("no page asked, and it was read %d times", reads)
		}

		if first := k.get(ctx, time.Second); first.Value != 1 || first.Complete {
			t.Errorf("the first value is %+v", first)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if second := k.get(ctx, 0); second.Value != 2 || !second.Complete || reads != 2 {
			t.Errorf("the value is %+v after %d reads", second, reads)
		}

		failing = true
		time.Sleep(2 * time.Minute)
		k.get(ctx, 0)
		time.Sleep(time.Second)
		if stale := k.get(ctx, 0); stale.Value != 2 || stale.Err == nil {
			t.Errorf("after a failure the value is %+v", stale)
		}
		stop()
		synctest.Wait()
	})
}

func TestHub_EndsTheStreamOfAClientThatDoesNotRead(t *testing.T) {
	h := newHub()
	slow, _ := h.open("", false)
	other, _ := h.open("td_1", false)
	for n := range 20 {
		h.send("", eventProgress, strconv.Itoa(n))
		h.send("", eventProgress, strconv.Itoa(n)) // the same is not sent twice
	}
	received := 0
	for range slow.events { // ends, because the stream was closed
		received++
	}
	if received != cap(slow.events) || len(other.events) != 0 {
		t.Errorf("%d events were received, the other stream has %d", received, len(other.events))
	}
	for range maxWatchers - 1 {
		if _, ok := h.open("", false); !ok {
			t.Fatal("a stream was refused")
		}
	}
	if _, ok := h.open("", false); ok {
		t.Error("more streams than allowed")
	}
	h.close()
	if _, open := <-other.events; open {
		t.Error("the stream goes on after the end of the service")
	}
	if got := message("a", "b\nc"); got != "event: a\ndata: b\ndata: c\n\n" {
		t.Errorf("the message is %q", got)
	}
}

// checked answers like a service with one replication-diff that has ended.
type checked struct{}

func (checked) Handle(context.Context, endpoint.Request) endpoint.Response {
	return endpoint.Response{Status: 200, Body: []byte(`{"task_id":"rd_20240315_123456","task_type":"replication-diff","status":"COMPLETED",
		"cluster_name":"demo","table_name":"(replication)","result":{"verdict":"differ","report_file":"reports/2024-03-15/rd_20240315_123456.json"}}`)}
}

func TestTask_OfAReplicationCheckLeadsToItsReport(t *testing.T) {
	p, err := New(Options{API: checked{}, OpenTasks: func(context.Context) ([]string, error) { return nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	p.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/tasks/rd_20240315_123456", nil))
	body := answer.Body.String()
	for text, want := range map[string]bool{`href="/tasks/rd_20240315_123456/report"`: true, "Replication check of demo": true, "The tasks of its tables": false} {
		if got := strings.Contains(body, text); answer.Code != 200 || got != want {
			t.Errorf("the page has status %d and contains %q: %v, want %v", answer.Code, text, got, want)
		}
	}
}

// restricted answers like a service with one repset-diff that has ended.
type restricted struct{}

func (restricted) Handle(context.Context, endpoint.Request) endpoint.Response {
	return endpoint.Response{Status: 200, Body: []byte(`{"task_id":"rs_20240315_123456","task_type":"repset-diff","status":"COMPLETED",
		"cluster_name":"demo","table_name":"publication:p","result":{"verdict":"match","diff_file":"d.json","summary":{"restricted":2}}}`)}
}

func TestTask_StatesThatOnlyReplicatedRowsWereCompared(t *testing.T) {
	p, err := New(Options{API: restricted{}, OpenTasks: func(context.Context) ([]string, error) { return nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	p.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/tasks/rs_20240315_123456", nil))
	if want := "Of 2 tables only the replicated rows or columns were compared."; answer.Code != 200 || !strings.Contains(answer.Body.String(), want) {
		t.Errorf("the page has status %d and does not state %q", answer.Code, want)
	}
}
