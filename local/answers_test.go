//go:build !unit

package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/endpoint"
)

// decode reads an answer that must be a success.
func decode(t testing.TB, resp endpoint.Response, into any) {
	t.Helper()
	if resp.Status != 200 {
		t.Fatalf("got %d %s", resp.Status, resp.Body)
	}
	if err := json.Unmarshal(resp.Body, into); err != nil {
		t.Fatalf("%v in %s", err, resp.Body)
	}
}

// members returns the names of an object's members in their order, and the members'
// values as text.
func members(t testing.TB, object []byte) (names []string, values map[string]string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(object))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		t.Fatalf("not an object: %s", object)
	}
	values = map[string]string{}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			t.Fatalf("%v in %s", err, object)
		}
		text, _ := name.(string)
		names = append(names, text)
		values[text] = string(value)
	}
	return names, values
}

// checkMembers checks that an object has the members of reference (names, and patterns of
// their values) in this order, followed by the members called further. It returns the
// values.
func checkMembers(t testing.TB, object []byte, further []string, reference ...[2]string) map[string]string {
	t.Helper()
	names, values := members(t, object)
	var want []string
	for _, member := range reference {
		want = append(want, member[0])
		if !regexp.MustCompile(`^(?:` + member[1] + `)$`).MatchString(values[member[0]]) {
			t.Errorf("%s is %s, want it to match %s", member[0], values[member[0]], member[1])
		}
	}
	if diff := cmp.Diff(append(want, further...), names); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	return values
}

const (
	anID  = `"td_\d{8}_\d{6}"`
	aTime = `"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`
)

func TestAnswers_HaveTheReferencesFieldsInItsOrder(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	c.Exec(t, 1, `UPDATE tiny SET name = 'other' WHERE id = 3`, `DELETE FROM tiny WHERE id = 5`)
	s := newHome(t, c).serve(t, nil)
	before := time.Now().UTC().Add(-time.Second)

	submitted := s.get(t, "/ace/table-diff", diffQuery(c, "public.tiny", "output", "json"))
	if submitted.Header["Content-Type"] != "application/json" {
		t.Errorf("Content-Type is %q", submitted.Header["Content-Type"])
	}
	answer := checkMembers(t, submitted.Body, nil, [2]string{"task_id", anID}, [2]string{"submitted_at", aTime})
	var at api.Time
	if err := json.Unmarshal([]byte(answer["submitted_at"]), &at); err != nil || at.Before(before) || at.After(time.Now()) {
		t.Errorf("submitted_at is %s, now is %s", at, time.Now().UTC())
	}
	id := strings.Trim(answer["task_id"], `"`)
	if want := "td_" + at.Format("20060102_150405"); id != want {
		t.Errorf("the task's id is %s, submitted_at says %s", id, want)
	}

	s.completed(t, id)
	status := checkMembers(t, s.get(t, "/ace/task-status/"+id, "").Body, []string{"submitted_at", "cluster_name", "table_name", "parameters", "requested_by"},
		[2]string{"task_id", `"` + id + `"`}, [2]string{"task_type", `"table-diff"`}, [2]string{"status", `"COMPLETED"`},
		[2]string{"started_at", aTime}, [2]string{"finished_at", aTime}, [2]string{"time_taken", `\d+\.\d{3}`}, [2]string{"result", `\{.*\}`})
	if status["submitted_at"] != answer["submitted_at"] || status["table_name"] != `"public.tiny"` || status["cluster_name"] != `"`+c.Name+`"` {
		t.Errorf("the status says %v", status)
	}
	shown := s.status(t, id)
	if took := shown.FinishedAt.Sub(shown.StartedAt.Time).Seconds(); math.Abs(float64(*shown.TimeTaken)-took) > 1e-6 || took < 0 {
		t.Errorf("time_taken is %v, from %s to %s", *shown.TimeTaken, shown.StartedAt, shown.FinishedAt)
	}
	result := checkMembers(t, []byte(status["result"]), []string{"verdict"},
		[2]string{"diff_file", `"diffs/` + at.Format(time.DateOnly) + `/` + id + `\.json"`},
		[2]string{"total_rows", "10"}, [2]string{"mismatched_rows", "2"}, [2]string{"summary", `\{.*\}`})
	if result["verdict"] != `"differ"` {
		t.Errorf("the verdict is %s", result["verdict"])
	}
	checkParameters(t, []byte(status["parameters"]))
}

// checkParameters makes sure that every parameter of the reference has its default.
func checkParameters(t testing.TB, object []byte) {
	t.Helper()
	_, got := members(t, object)
	for name, want := range map[string]string{
		"block_rows": "10000", "max_cpu_ratio": "0.8", "output": `"json"`, "batch_size": "50", "quiet": "false", "table_name": `"public.tiny"`,
	} {
		if got[name] != want {
			t.Errorf("parameter %s is %s, want %s", name, got[name], want)
		}
	}
}

func TestAnswers_AreTheSameToTheByteThroughEveryTransport(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	s := newHome(t, c).serve(t, nil)
	done := s.submit(t, c, "public.tiny")
	s.completed(t, done)
	failed := s.submit(t, c, "public.missing")
	if status := s.end(t, failed); status.Status != api.StatusFailed || !strings.Contains(status.Error, "public.missing") {
		t.Errorf("the task ended %s: %s", status.Status, status.Error)
	}
	transports := s.everywhere(t)
	for path, status := range map[string]int{
		"/ace/task-status/" + done: 200, "/ace/task-status/" + failed: 200, "/ace/tasks": 200, "/healthz": 200, "/readyz": 200,
		"/ace/diffs/" + failed: 404, "/ace/task-cancel/" + done: 409, "/ace/task-cancel/" + failed: 409,
	} {
		for _, method := range []string{"GET", "POST"} {
			if resp := checkEverywhere(t, transports, endpoint.Request{Method: method, Path: path}); resp.Status != status {
				t.Errorf("%s %s: %d %s", method, path, resp.Status, resp.Body)
			}
		}
	}
	for _, transport := range transports[2:] { // the Lambda functions
		resp := transport.Do(endpoint.Request{Method: "GET", Path: "/ace/diffs/" + done})
		if resp.Status != 302 || !strings.Contains(resp.Header["Location"], done+".json") {
			t.Errorf("%s: the document is answered with %d %v", transport.Name, resp.Status, resp.Header)
		}
	}
}

func TestDownload_WholeInPartsAndNotAgain(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	c.Exec(t, 0, `UPDATE tiny SET name = 'only here' WHERE id = 4`)
	h := newHome(t, c)
	s := h.serve(t, nil)

	release := hold(t, c, "tiny")
	id := s.submit(t, c, "public.tiny")
	path := "/ace/diffs/" + id
	early := s.get(t, path, "")
	if early.Status != 404 || !strings.Contains(string(early.Body), "it has no diff document yet") {
		t.Errorf("before the end: %d %s", early.Status, early.Body)
	}
	release()
	result := s.completed(t, id)

	stored, err := os.ReadFile(h.object(result.DiffFile))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(stored)
	etag := `"` + hex.EncodeToString(sum[:]) + `"`
	size := len(stored)
	for _, tt := range []struct {
		name, method string
		header       endpoint.Header
		status       int
		body         string
		want         map[string]string
	}{
		{"whole", "GET", nil, 200, string(stored), map[string]string{
			"Content-Type": "application/json", "ETag": etag, "Content-Length": fmt.Sprint(size), "Accept-Ranges": "bytes",
			"Content-Disposition": "attachment; filename=" + id + ".json"}},
		{"head", "HEAD", nil, 200, "", map[string]string{"ETag": etag, "Content-Length": fmt.Sprint(size)}},
		{"a range", "GET", endpoint.Header{"range": "bytes=5-14"}, 206, string(stored[5:15]), map[string]string{"Content-Range": fmt.Sprintf("bytes 5-14/%d", size)}},
		{"the end", "GET", endpoint.Header{"range": "bytes=-7"}, 206, string(stored[size-7:]), nil},
		{"a range of this version", "GET", endpoint.Header{"range": "bytes=0-0", "if-range": etag}, 206, string(stored[:1]), nil},
		{"a range of another version", "GET", endpoint.Header{"range": "bytes=0-0", "if-range": `"x"`}, 200, string(stored), nil},
		{"a range beyond the end", "GET", endpoint.Header{"range": "bytes=9999999-"}, 416, `{"error":"the requested range is outside the file"}` + "\n", nil},
		{"known already", "GET", endpoint.Header{"if-none-match": etag}, 304, "", map[string]string{"ETag": etag}},
		{"another is known", "GET", endpoint.Header{"if-none-match": `"x"`}, 200, string(stored), nil},
	} {
		header := endpoint.Header{"accept-encoding": "identity"} // otherwise the answer has the ETag of a compressed file
		maps.Copy(header, tt.header)
		resp := s.do(t, endpoint.Request{Method: tt.method, Path: path, Header: header})
		if resp.Status != tt.status || string(resp.Body) != tt.body {
			t.Errorf("%s: got %d %.200s\nwant %d %.200s", tt.name, resp.Status, resp.Body, tt.status, tt.body)
		}
		for name, want := range tt.want {
			if got := resp.Header[textHeader(name)]; got != want {
				t.Errorf("%s: %s is %q, want %q", tt.name, name, got, want)
			}
		}
	}
	for format, want := range map[string]struct{ contentType, disposition, begins string }{
		"csv":             {"text/csv; charset=utf-8; header=present", "attachment", "ace_difference,ace_pair,"},
		"html":            {"text/html; charset=utf-8", "inline", "<!doctype html>"},
		"html&download=1": {"text/html; charset=utf-8", "attachment", "<!doctype html>"},
	} {
		resp := s.do(t, endpoint.Request{Method: "GET", Path: path, RawQuery: "format=" + format})
		format, _, _ := strings.Cut(format, "&")
		if resp.Status != 200 || !strings.HasPrefix(string(resp.Body), want.begins) {
			t.Errorf("%s: got %d %.200s", format, resp.Status, resp.Body)
		}
		for name, want := range map[string]string{"Content-Type": want.contentType, "Content-Disposition": want.disposition + "; filename=" + id + "." + format} {
			if got := resp.Header[name]; got != want {
				t.Errorf("%s: %s is %q, want %q", format, name, got, want)
			}
		}
	}
	if got := s.found(t, id, "id"); !slices.Equal(got["n1"], []string{"4"}) || !slices.Equal(got["n2"], []string{"4"}) {
		t.Errorf("the document lists %v", got)
	}
}

// textHeader is how net/http spells a field's name.
func textHeader(name string) string {
	if name == "ETag" {
		return "Etag"
	}
	return name
}

func TestTasks_AreListedNewestFirstFilteredAndInPages(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	c.ExecAll(t, `CREATE TABLE other (id int PRIMARY KEY)`)
	s := newHome(t, c).serve(t, nil)
	var ids []string // the newest first
	for i := range 7 {
		table := "public.tiny"
		if i%3 == 0 {
			table = "public.other"
		}
		id := s.submit(t, c, table)
		s.completed(t, id)
		ids = slices.Insert(ids, 0, id)
	}
	ids = slices.Insert(ids, 0, s.submit(t, c, "public.missing"))
	s.end(t, ids[0])
	for query, want := range map[string][]string{
		"":                                ids,
		"limit=3":                         ids[:3],
		"status=FAILED":                   ids[:1],
		"status=COMPLETED":                ids[1:],
		"status=QUEUED":                   nil,
		"cluster_name=" + c.Name:          ids,
		"cluster_name=another":            nil,
		"table_name=public.other":         {ids[1], ids[4], ids[7]},
		"table_name=public.other&limit=2": {ids[1], ids[4]},
	} {
		if got, _ := s.list(t, query); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", query, got, want)
		}
	}
	var paged []string
	for next, pages := "", 0; ; pages++ {
		page, after := s.list(t, "limit=3&status=COMPLETED"+next)
		paged = append(paged, page...)
		if next = "&after=" + after; after == "" {
			break
		}
		if len(page) > 3 || pages > 8 {
			t.Fatalf("page %d has %v and says that %q follows", pages, page, after)
		}
	}
	if !slices.Equal(paged, ids[1:]) {
		t.Errorf("the pages list %v, want %v", paged, ids[1:])
	}
}

// list returns the ids on a page of the list of tasks, and the cursor of the next.
func (s *service) list(t testing.TB, query string) (ids []string, next string) {
	t.Helper()
	var list api.TaskList
	s.read(t, "/ace/tasks", query, &list)
	for _, status := range list.Tasks {
		ids = append(ids, status.TaskID)
	}
	return ids, list.Next
}
