//go:build !unit

package app_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/memstore"
	"ace/infra/testkit/output"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/endpoint"
)

// recordingStore remembers every byte that is written, also in objects that are deleted
// later.
type recordingStore struct {
	archive.Store
	mu      sync.Mutex
	written map[string]*bytes.Buffer // by key
}

func newRecordingStore(t *testing.T) *recordingStore {
	return &recordingStore{Store: memstore.New(t), written: map[string]*bytes.Buffer{}}
}

func (r *recordingStore) record(key string, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.written[key] == nil {
		r.written[key] = &bytes.Buffer{}
	}
	r.written[key].Write(body)
}

func (r *recordingStore) Put(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	r.record(key, body)
	return r.Store.Put(ctx, key, contentType, body)
}

func (r *recordingStore) PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	r.record(key, body)
	return r.Store.PutIfAbsent(ctx, key, contentType, body)
}

func (r *recordingStore) PutIfMatch(ctx context.Context, key, contentType string, body []byte, etag string) (archive.Info, error) {
	r.record(key, body)
	return r.Store.PutIfMatch(ctx, key, contentType, body, etag)
}

func (r *recordingStore) Create(ctx context.Context, key, contentType string) (archive.Writer, error) {
	w, err := r.Store.Create(ctx, key, contentType)
	return recordedWriter{w, r, key}, err
}

type recordedWriter struct {
	archive.Writer
	store *recordingStore
	key   string
}

func (w recordedWriter) Write(p []byte) (int, error) {
	w.store.record(w.key, p)
	return w.Writer.Write(p)
}

// keysWith returns the keys of all objects that were ever written and contain a text that
// the pattern matches.
func (r *recordingStore) keysWith(t *testing.T, pattern *regexp.Regexp) (keys []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, body := range r.written {
		content := body.Bytes()
		if packed, err := gzip.NewReader(bytes.NewReader(content)); err == nil {
			if content, err = io.ReadAll(packed); err != nil {
				t.Fatal(err)
			}
		}
		if pattern.Match(content) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// secret matches the planted values of every redacted column. Numbers are written in all
// types with these digits.
var secret = regexp.MustCompile(`(?i)secret|7654321|1903-04-`)

// privateTable creates a table with secrets of several types on three nodes. The rows 1
// to 5 differ: the row 1 in each redacted column, the row 2 in NULLs, the row 3 in a
// column that is not redacted, and the rows 4 and 5 are on one node only.
func privateTable(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	c.ExecAll(t, `CREATE TABLE people (id int PRIMARY KEY, name text, ssn text, salary numeric(20,2), born date, member boolean, detail jsonb, visits int)`,
		`INSERT INTO people SELECT i, 'name ' || i, 'secret-' || i, 76543210 + i, '1903-04-05'::date + i % 5, true, '{"of":"secret"}', 7654321 FROM generate_series(1, 3000) i`)
	c.Exec(t, 1, `UPDATE people SET ssn = 'Secret-other', salary = 76543219, born = '1903-04-09', member = false, detail = '{"of":"secret other"}', visits = 76543212 WHERE id = 1`,
		`UPDATE people SET ssn = NULL WHERE id = 2`, `UPDATE people SET name = 'another name' WHERE id = 3`)
	c.Exec(t, 0, `DELETE FROM people WHERE id = 4`)
	c.Exec(t, 2, `DELETE FROM people WHERE id = 5`)
}

const redacted = "ssn,salary,born,member,detail,visits"

// TestRedact_NoValueLeavesTheNodes runs every operation on a document with redacted
// columns. It searches everything that was ever stored, answered and logged.
func TestRedact_NoValueLeavesTheNodes(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	privateTable(t, c)
	store := newRecordingStore(t)
	log := &output.Buffer{}
	s := apptest.New(t, c, apptest.Options{Store: store, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})

	diff := s.Diff(t, "public.people", "redact", redacted, "output", "html", "block_rows", "1000")
	checkPrivateRows(t, diff)
	again := s.Rerun(t, diff.TaskID, "public.people", "behavior", "hostdb") // inherits redact
	checkPrivateRows(t, again)
	checkPrivateRows(t, s.Diff(t, "public.people", "redact", redacted, "baseline", "last", "block_rows", "1000"))
	checkPrivateRows(t, s.Diff(t, "public.people", "redact", redacted, "table_filter", "salary > 0", "confirm_delay", "10ms", "checksum", "sha256"))

	report := func(r *api.TableRepairRequest) { r.GenerateReport = true }
	dry := repair(t, s, diff.TaskID, "n1", func(r *api.TableRepairRequest) { r.DryRun, r.GenerateReport = true, true })
	done := repair(t, s, again.TaskID, "n1", report)
	if dry.counts("n2") != "+0 ~3 -1 =0 /0 " || done.counts("n2") != "+0 ~3 -1 =0 /0 committed" || done.counts("n3") != "+1 ~0 -1 =0 /0 committed" {
		t.Errorf("dry run %+v, repair %+v", dry.RepairResult, done.RepairResult)
	}
	undone := undo(t, s, done.TaskID, nil)
	if undone.Status != api.StatusCompleted {
		t.Fatalf("the undo ended %s: %s", undone.Status, undone.Error)
	}

	answers := map[string]string{"log": log.String()}
	for _, of := range []apptest.Diff{diff, again} {
		for _, format := range []string{"json", "csv", "html"} {
			answers[of.TaskID+" as "+format] = string(s.Download(t, of.TaskID, format))
		}
	}
	for _, id := range []string{diff.TaskID, again.TaskID, dry.TaskID, done.TaskID, undone.TaskID} {
		answers["status of "+id] = answerOf(t, s, "/ace/task-status/"+id, "")
	}
	for _, list := range []string{"tasks", "diffs", "tables"} {
		answers[list] = answerOf(t, s, "/ace/"+list, "cluster_name="+c.Name)
	}
	for _, id := range []string{dry.TaskID, done.TaskID} {
		_, answers["report of "+id] = saved(t, s, "/ace/reports/"+id)
		if !strings.Contains(answers["report of "+id], `"redact":["ssn",`) {
			t.Errorf("the report does not name the redacted columns: %s", answers["report of "+id])
		}
	}
	for name, answer := range answers {
		if found := secret.FindString(answer); found != "" {
			t.Errorf("%s contains %q:\n%.2000s", name, found, answer)
		}
	}

	// Before-images keep the values, because an undo writes them. Nothing else does.
	_, before := saved(t, s, "/ace/before-images/"+done.TaskID)
	if !strings.Contains(before, "Secret-other") || !strings.Contains(before, `"contains_redacted":["ssn",`) {
		t.Errorf("before-images: %s", before)
	}
	keys := store.keysWith(t, secret)
	if !slices.ContainsFunc(keys, isBeforeImage) {
		t.Errorf("no before-image has a value, only %q", keys)
	}
	if others := slices.DeleteFunc(keys, isBeforeImage); len(others) > 0 {
		t.Errorf("these objects contain a value: %q", others)
	}

	// Without redact, the same search finds the values.
	s.Diff(t, "public.people")
	if keys := store.keysWith(t, secret); !slices.ContainsFunc(keys, func(key string) bool { return strings.HasPrefix(key, "diffs/") }) {
		t.Errorf("the search misses the values of a document that is not redacted: %q", keys)
	}
}

func isBeforeImage(key string) bool {
	return strings.HasPrefix(key, "repairs/") || strings.HasSuffix(key, ".before-images.json")
}

func answerOf(t *testing.T, s *apptest.Service, path, query string) string {
	t.Helper()
	response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: path, RawQuery: query})
	if response.Status != 200 {
		t.Fatalf("%s: %d: %s", path, response.Status, response.Body)
	}
	return string(response.Body)
}

// checkPrivateRows checks the document of privateTable: the counts are those of a
// comparison without redact, and hashes are equal if their values are.
func checkPrivateRows(t *testing.T, d apptest.Diff) {
	t.Helper()
	if d.Result.MismatchedRows != 5 {
		t.Errorf("%d rows differ, want 5", d.Result.MismatchedRows)
	}
	if fmt.Sprint(d.Summary.Redact) != "[ssn salary born member detail visits]" {
		t.Errorf("the document names %v", d.Summary.Redact)
	}
	hash := regexp.MustCompile(`^redacted:[0-9a-f]{16}$`)
	values := map[string]map[string]string{}
	for _, row := range d.Rows {
		if row.Pair == "n1/n2" {
			values[row.Node+" "+row.Values["id"]] = row.Values
		}
	}
	for _, column := range strings.Split(redacted, ",") {
		for _, id := range []string{"1", "2", "3"} {
			a, b := values["n1 "+id][column], values["n2 "+id][column]
			differ := id == "1" || id == "2" && column == "ssn"
			if (a != b) != differ || !hash.MatchString(a) || !hash.MatchString(b) && (id != "2" || b != pgtest.Null) {
				t.Errorf("row %s, column %s: %q and %q, differ: %v", id, column, a, b, differ)
			}
		}
		if values["n1 2"][column] == values["n1 3"][column] {
			t.Errorf("column %s has the same hash %q in two rows", column, values["n1 2"][column])
		}
	}
	if values["n1 3"]["name"] != "name 3" || values["n2 3"]["name"] != "another name" {
		t.Errorf("the column name is not redacted, but is %q and %q", values["n1 3"]["name"], values["n2 3"]["name"])
	}
}

func TestRedact_RefusesColumnsThatItCannotRedact(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text, w text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a', 'b')`)
	s := apptest.New(t, c, apptest.Options{Store: memstore.New(t)})
	for _, tt := range []struct{ columns, want string }{
		{"id", `redact names "id", which is part of the key and cannot be redacted: reruns and repairs find rows by the key`},
		{"v,nowhere", `redact names "nowhere", but the table's columns are "id", "v", "w"`},
	} {
		if got := s.Fail(t, "public.t", "redact", tt.columns); got != tt.want {
			t.Errorf("redact=%s: %s", tt.columns, got)
		}
	}

	plain := s.Diff(t, "public.t")
	if got := s.FailRerun(t, plain.TaskID, "public.t", "redact", "id"); !strings.Contains(got, `redact names "id", which is part of the key`) {
		t.Errorf("rerun: %s", got)
	}
	narrowed := s.Rerun(t, plain.TaskID, "public.t", "redact", "v")
	more := s.Rerun(t, narrowed.TaskID, "public.t", "redact", "w")
	if fmt.Sprint(narrowed.Summary.Redact, more.Summary.Redact) != "[v] [v w]" {
		t.Errorf("reruns redact %v and then %v", narrowed.Summary.Redact, more.Summary.Redact)
	}

	req := api.TableRepairRequest{ClusterName: c.Name, DiffFile: api.DiffFile{TaskID: more.TaskID}, SourceOfTruth: "n1", Table: api.TableName{Schema: "public", Name: "t"}, DryRun: true, GenerateSQL: true}
	response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: "/ace/table-repair", RawQuery: parameters(t, req).Encode()})
	const wanted = "generate_sql=true would write the values of redacted columns (v, w) into a script"
	if response.Status != 400 || !strings.Contains(string(response.Body), wanted) {
		t.Errorf("a script: %d %s", response.Status, response.Body)
	}
	done := repair(t, s, more.TaskID, "n1", nil)
	if failed := undo(t, s, done.TaskID, func(r *api.TableUndoRequest) { r.DryRun, r.GenerateSQL = true, true }); failed.Status != api.StatusFailed || !strings.Contains(failed.Error, wanted) {
		t.Errorf("a script of an undo: %s %s", failed.Status, failed.Error)
	}
}

// An error of the server may quote a value.
func TestRedact_ErrorsQuoteNoValue(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t VALUES (1, 'secret-1')`,
		`CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no %', NEW.v USING ERRCODE = '55000', HINT = NEW.v; END $$`)
	c.Exec(t, 0, `UPDATE t SET v = 'secret-2'`)
	c.Exec(t, 1, `CREATE TRIGGER reject BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION reject()`, `ALTER TABLE t ENABLE ALWAYS TRIGGER reject`)
	log := &output.Buffer{}
	store := newRecordingStore(t)
	s := apptest.New(t, c, apptest.Options{Store: store, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})

	const filter = "v::int > 0"
	failed := s.Fail(t, "public.t", "redact", "v", "table_filter", filter)
	if !strings.Contains(failed, "may quote a value of a redacted column") || !strings.Contains(failed, "22P02") {
		t.Errorf("filter: %s", failed)
	}
	if syntax := s.Fail(t, "public.t", "redact", "v", "table_filter", "nosuch = 1"); !strings.Contains(syntax, `column "nosuch" does not exist`) {
		t.Errorf("an error about the filter's text: %s", syntax)
	}
	r := repair(t, s, s.Diff(t, "public.t", "redact", "v").TaskID, "n1", nil)
	if r.Status != api.StatusFailed || !strings.Contains(r.Error, "55000") || !strings.Contains(r.Error, "may quote a value") {
		t.Errorf("repair: %s %s", r.Status, r.Error)
	}
	if found := secret.FindString(failed + r.Error + log.String()); found != "" {
		t.Errorf("an error or the log contains %q", found)
	}
	if keys := slices.DeleteFunc(store.keysWith(t, secret), isBeforeImage); len(keys) > 0 {
		t.Errorf("these objects contain a value: %q", keys)
	}

	// Without redact, the errors have the server's message.
	if plain := s.Fail(t, "public.t", "table_filter", filter); !strings.Contains(plain, "secret-") {
		t.Errorf("the server quotes no value, so this test shows nothing: %s", plain)
	}
}
