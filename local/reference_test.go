//go:build !unit

package main_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// The example requests of the reference of pgEdge ACE. /path/to is replaced by the
// directory of the test.
const (
	exampleDiff   = "cluster_name=my_cluster&table_name=public.users&output=html"
	exampleRepair = "cluster_name=my_cluster&diff_file=/path/to/diff.json&source_of_truth=primary&table_name=public.users"
	exampleRerun  = "cluster_name=my_cluster&diff_file=/path/to/diff.json&table_name=public.users"
)

func TestReference_ItsExamplesWork(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 10) i`)
	c.Exec(t, 1, `UPDATE users SET name = 'other' WHERE id = 3`, `DELETE FROM users WHERE id = 5`)
	h := newHome(t, c)
	definition, err := os.ReadFile(filepath.Join(h.clusters(), c.Name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	h.define(t, "my_cluster.json", strings.NewReplacer(`"cluster_name": "`+c.Name+`"`, `"cluster_name": "my_cluster"`, `"n1"`, `"primary"`).Replace(string(definition)))
	files := t.TempDir()
	path := filepath.Join(files, "diff.json")
	s := h.serve(t, settings{"ACE_IMPORT_DIR": files})
	run := func(route, example string) string {
		var submitted api.Submitted
		s.read(t, route, strings.ReplaceAll(example, "/path/to", files), &submitted)
		return submitted.TaskID
	}

	diff := run("/ace/table-diff", exampleDiff)
	if result := s.completed(t, diff); result.MismatchedRows != 2 || !strings.HasSuffix(result.DiffFile, ".html") {
		t.Errorf("the comparison found %+v", result)
	}
	if err := os.WriteFile(path, s.get(t, "/ace/diffs/"+diff, "").Body, 0o600); err != nil {
		t.Fatal(err)
	}
	if result := s.completed(t, run("/ace/table-rerun", exampleRerun)); result.MismatchedRows != 2 {
		t.Errorf("the rerun found %+v", result)
	}
	if n := s.repaired(t, run("/ace/table-repair", exampleRepair)); n.Inserted != 1 || n.Updated != 1 || n.Outcome != api.OutcomeCommitted {
		t.Errorf("the repair did %+v", n)
	}
	if result := s.completed(t, run("/ace/table-rerun", exampleRerun)); result.Verdict != api.VerdictMatch || result.TotalRows != 2 {
		t.Errorf("the rerun after the repair found %+v", result)
	}

	if err := os.Symlink(filepath.Join(h.clusters(), "my_cluster.json"), filepath.Join(files, "link.json")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		files + "/link.json":              "is a symbolic link but must be a regular file",
		h.clusters() + "/my_cluster.json": "is not below " + files,
		files + "/../clusters":            "is not below " + files,
	} {
		query := url.Values{"cluster_name": {"my_cluster"}, "table_name": {"public.users"}, "diff_file": {name}}
		if resp := s.get(t, "/ace/table-rerun", query.Encode()); resp.Status != 400 || !strings.Contains(string(resp.Body), want) {
			t.Errorf("%s: got %d %s", name, resp.Status, resp.Body)
		}
	}
}

func TestReference_APathIsRefusedUnlessADirectoryIsConfigured(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := newHome(t, c).serve(t, nil)
	resp := s.get(t, "/ace/table-repair", strings.ReplaceAll(exampleRepair, "my_cluster", c.Name))
	const want = `{"error":"diff_file is \"/path/to/diff.json\": files of the server are not read: to read those below a directory DIR, ` +
		`start ace serve with --import-dir DIR or set ACE_IMPORT_DIR; or POST the document to /ace/diffs and use the diff_file of the answer"}` + "\n"
	if resp.Status != 400 || string(resp.Body) != want {
		t.Errorf("got %d %s, want %s", resp.Status, resp.Body, want)
	}
	s.checkNoTask(t)
}
