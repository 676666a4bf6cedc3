//go:build !unit

package app_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/task"
)

func TestTableDiff_StoresTheRequestedFormatNextToTheDocument(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	differingTable(t, c)
	for _, format := range []string{api.FormatCSV, api.FormatHTML} {
		d := s.Diff(t, "public.t", "output", format)
		document := strings.TrimSuffix(d.Result.DiffFile, format) + api.FormatJSON
		if !strings.HasSuffix(d.Result.DiffFile, "/"+d.TaskID+"."+format) || d.Result.OutputError != "" {
			t.Errorf("%s: diff_file is %s, output_error %q", format, d.Result.DiffFile, d.Result.OutputError)
		}
		rendered := s.Download(t, d.TaskID, format)
		for key, want := range map[string][]byte{d.Result.DiffFile: rendered, document: d.Raw} {
			if got := stored(t, s.Store, key); !bytes.Equal(got, want) {
				t.Errorf("%s: the archive's %s is not what is downloaded", format, key)
			}
		}
		if len(d.Rows) != 8 || !bytes.Contains(rendered, []byte("8000")) {
			t.Errorf("%s: %d rows in the document, rendered: %.500s", format, len(d.Rows), rendered)
		}
		again := s.Rerun(t, d.Result.DiffFile, "public.t", "output", format) // a rendering stands for its document
		if !strings.HasSuffix(again.Result.DiffFile, "/"+again.TaskID+"."+format) || again.Summary.RerunOf != document {
			t.Errorf("%s: the rerun has %s, of %s", format, again.Result.DiffFile, again.Summary.RerunOf)
		}
	}
	plain := s.Diff(t, "public.t")
	if !strings.HasSuffix(plain.Result.DiffFile, ".json") || len(s.Download(t, plain.TaskID, api.FormatHTML)) == 0 {
		t.Errorf("diff_file is %s", plain.Result.DiffFile)
	}
}

func stored(t *testing.T, store archive.Store, key string) []byte {
	t.Helper()
	object, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(object.Body); err != nil {
		t.Fatal(err)
	}
	return body.Bytes()
}

// COPY loads the CSV and distinguishes NULL from the empty string. The test removes one
// apostrophe before a value.
func TestCSV_CanBeLoadedIntoPostgreSQL(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (v text, n numeric PRIMARY KEY, b bool, j jsonb)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (NULL, -1.50, true, '{"a": "b,c"}'), ('', 2.0, false, NULL), ('=1+1', 3, NULL, '"\\"'),
		(E'a,"b"\r\n\tc', 4, true, '[]'), ('''quoted', 5, true, '1'), ('-7', 6, true, '-7'), ('\.', 7, true, '{}'), ('only here', 8, true, '{}')`)
	c.Exec(t, 1, `INSERT INTO t VALUES ('x', -1.50, true, '{}'), (NULL, 2.00, false, NULL), ('x', 3, NULL, '0'),
		('x', 4, true, '[]'), ('x', 5, true, '1'), ('x', 6, true, '-7'), ('x', 7, true, '{}'), (' only there ', 9, true, '{}')`)
	d := s.Diff(t, "public.t", "output", "csv")
	c.Exec(t, 0, `CREATE TABLE back (ace_difference int, ace_pair text, ace_kind text, ace_unsettled bool, ace_node text, n text, v text, b text, j text)`)
	csv := s.Download(t, d.TaskID, "csv")
	if _, err := c.Connect(t, 0).PgConn().CopyFrom(t.Context(), bytes.NewReader(csv), "COPY back FROM STDIN (FORMAT csv, HEADER match)"); err != nil {
		t.Fatalf("%v in\n%s", err, csv)
	}
	for node := range c.Nodes {
		got := c.QueryStrings(t, 0, `SELECT regexp_replace(n, '^''', ''), regexp_replace(v, '^''', ''), b, regexp_replace(j, '^''', '')
			FROM back WHERE ace_node = $1 ORDER BY ace_difference`, c.Nodes[node].Name)
		want := c.QueryStrings(t, node, `SELECT n, v, b, j FROM t ORDER BY n`)
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("of node %s come back\n%q\nwant\n%q", c.Nodes[node].Name, got, want)
		}
	}
	kinds := c.QueryStrings(t, 0, `SELECT ace_kind, count(*), count(DISTINCT ace_difference), string_agg(DISTINCT n, ' ') FILTER (WHERE ace_difference = 2) FROM back GROUP BY 1 ORDER BY 1`)
	want := [][]string{{"different", "14", "7", "2.0 2.00"}, {"only_on_n1", "1", "1", pgtest.Null}, {"only_on_n2", "1", "1", pgtest.Null}}
	if !slices.EqualFunc(kinds, want, slices.Equal) {
		t.Errorf("kinds are %q, want %q", kinds, want)
	}
}

func TestTableDiff_ARenderingThatFailsDoesNotFailTheTask(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	store := faulty.Wrap(apptest.Store(t))
	s := apptest.New(t, c, apptest.Options{Store: store, Patience: time.Second})
	differingTable(t, c)
	store.On(faulty.Create, "diffs/", func(n int) faulty.Outcome {
		if n == 1 { // the document
			return faulty.Pass
		}
		return faulty.FailBefore
	})
	d := s.Diff(t, "public.t", "output", "html")
	if d.Result.Verdict != api.VerdictDiffer || d.Result.MismatchedRows != 8 || len(d.Rows) != 8 || !strings.HasSuffix(d.Result.DiffFile, "/"+d.TaskID+".json") {
		t.Errorf("the result is %+v with %d rows", d.Result, len(d.Rows))
	}
	if !strings.HasPrefix(d.Result.OutputError, "the document could not be rendered as html: ") {
		t.Errorf("output_error is %q", d.Result.OutputError)
	}
	store.Heal()
	if page := s.Download(t, d.TaskID, "html"); !bytes.Contains(page, []byte("<title>public.t differs: 8 rows")) {
		t.Errorf("later the page is %.300s", page)
	}
}

func TestTableDiff_ResumesAfterAnInterruptedRendering(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	backing := apptest.Store(t)
	store := faulty.Wrap(backing)
	first := apptest.New(t, c, apptest.Options{Store: store})
	differingTable(t, c)
	store.On(faulty.Create, "diffs/", faulty.Nth(2, faulty.Hang))
	id := first.Submit(t, "public.t", "output", "csv")
	for store.Count(faulty.Create, "diffs/") < 2 {
		time.Sleep(5 * time.Millisecond)
	}
	var status api.TaskStatus
	if first.Get(t, "/ace/task-status/"+id, nil, &status); status.Status != api.StatusRunning {
		t.Errorf("while its document is rendered the task is %s", status.Status)
	}
	first.Queue.Close()
	if rec, err := first.App.Tasks().Get(t.Context(), id); err != nil || rec.Status != task.Running || rec.Lease != nil {
		t.Fatalf("after the shutdown the record is %+v, %v", rec, err)
	}
	second := apptest.New(t, c, apptest.Options{Store: backing})
	second.Queue.Resume(id, false)
	d := second.Document(t, second.Wait(t, id))
	if !strings.HasSuffix(d.Result.DiffFile, "/"+id+".csv") || d.Result.MismatchedRows != 8 || d.Result.OutputError != "" {
		t.Errorf("the result is %+v", d.Result)
	}
}
