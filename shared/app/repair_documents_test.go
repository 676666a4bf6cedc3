//go:build !unit

package app_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/endpoint"
)

// repairFrom submits a repair of public.t from n1 with any document. A rejected request
// counts as a repair that FAILED.
func repairFrom(t *testing.T, s *apptest.Service, file string, args ...string) repaired {
	t.Helper()
	query := url.Values{"cluster_name": {s.Cluster.Name}, "table_name": {"public.t"}, "source_of_truth": {"n1"}, "diff_file": {file}}
	for i := 0; i+1 < len(args); i += 2 {
		query.Set(args[i], args[i+1])
	}
	response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: "/ace/table-repair", RawQuery: query.Encode()})
	var submitted api.Submitted
	if response.Status != 200 {
		return repaired{Status: api.StatusFailed, Error: string(response.Body)}
	}
	if err := json.Unmarshal(response.Body, &submitted); err != nil {
		t.Fatal(err)
	}
	status := s.Wait(t, submitted.TaskID)
	r := repaired{TaskID: status.TaskID, Status: status.Status, Error: status.Error}
	if status.Result != nil {
		if err := json.Unmarshal(status.Result, &r.RepairResult); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestTableRepair_AcceptsDocumentsOfEveryKind(t *testing.T) {
	t.Parallel()
	const rows = `"n1/n2":{"n1":[{"id":1,"v":"stale"}],"n2":[{"id":3,"v":"x"},{"id":1,"v":"y"}]}`
	tests := []struct {
		name, body string
		says       string // the error; "" if the repair completes
	}{
		{"the older layout of the peer", `{"diffs":{` + rows + `},"summary":{"schema":"public","table":"t","nodes":["n1","n2"],"primary_key":["id"]}}`, ""},
		{"the newer one, without a summary", `{"diffs":{"n1/n2":{"rows":` + strings.TrimPrefix(rows, `"n1/n2":`) + `}}}`, ""},
		{"of another table, which shows at the end", `{"diffs":{` + rows + `},"summary":{"schema":"public","table":"other"}}`, "public.other"},
		{"of another table, which shows at once", `{"summary":{"schema":"public","table":"other"},"diffs":{` + rows + `}}`, "public.other"},
		{"of another key", `{"diffs":{` + rows + `},"summary":{"primary_key":["v"]}}`, "no primary key or unique index on (v)"},
		{"without the key's column", `{"diffs":{"n1/n2":{"n1":[{"v":"a"}],"n2":[]}}}`, `lack column "id"`},
		{"of nodes that are not the cluster's", `{"diffs":{"n1/n9":{"n1":[{"id":1}],"n9":[]}}}`, "no node of cluster"},
		{"whose keys are no numbers", `{"diffs":{"n1/n2":{"n1":[{"id":"one"}],"n2":[]}}}`, "invalid input syntax"},
		{"cut off", `{"diffs":{"n1/n2":{"n1":[{"id":1}],"n2":[{"id"`, "diff document"},
		{"cut off between two rows", `{"diffs":{"n1/n2":{"n1":[{"id":1,"v":"a"},`, "diff document"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
			c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
			c.Exec(t, 1, `INSERT INTO t VALUES (2, 'not in the document'), (3, 'x')`)
			s := apptest.New(t, c, apptest.Options{})
			before := content(t, c, 1, "t")
			r := repairFrom(t, s, s.Import(t, []byte(tt.body)))
			if tt.says != "" {
				if r.Status != api.StatusFailed || !strings.Contains(r.Error, tt.says) || !cmp.Equal(before, content(t, c, 1, "t")) {
					t.Errorf("%s %s", r.Status, r.Error)
				}
				return
			}
			if diff := cmp.Diff([][]string{{"(1,a)"}, {`(2,"not in the document")`}}, content(t, c, 1, "t")); diff != "" || r.counts("n2") != "+1 ~0 -1 =0 /0 committed" {
				t.Errorf("%s %s\n%s", r.counts("n2"), r.Error, diff)
			}
		})
	}
}

func TestTableRepair_RejectsAChangedDocument(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	for name, change := range map[string]func(string) string{
		"another key of the same length": func(body string) string { return strings.Replace(body, `"id":1`, `"id":2`, 1) },
		"cut in half":                    func(body string) string { return body[:len(body)/2] },
		"of another cluster":             func(body string) string { return strings.Replace(body, c.Name, strings.ToUpper(c.Name), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			c.Exec(t, 1, `TRUNCATE t; INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
			s := apptest.New(t, c, apptest.Options{})
			d := s.Diff(t, "public.t")
			changed := change(string(d.Raw))
			if changed == string(d.Raw) {
				t.Fatal("nothing was changed")
			}
			if _, err := s.Store.Put(t.Context(), d.Result.DiffFile, "application/json", []byte(changed)); err != nil {
				t.Fatal(err)
			}
			r := repairFrom(t, s, d.TaskID)
			if r.Status != api.StatusFailed || len(content(t, c, 1, "t")) != 2 {
				t.Errorf("%s %s", r.Status, r.Error)
			}
			if r = repairFrom(t, s, s.Import(t, []byte(changed))); name != "another key of the same length" && r.Status != api.StatusFailed {
				t.Errorf("imported: %s", r.Status)
			}
		})
	}
}

// Each document is of a comparison of only a part of the table.
func TestTableRepair_APartialDocumentNeverDeletesACorrectRow(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"table_filter", "v = 'seen'"}, {"table_filter", "v = 'seen'", "ignore_columns", "w"}, {"ignore_columns", "v"}, {"max_diff_rows", "1"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			s := apptest.New(t, c, apptest.Options{})
			c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text, w text)`)
			c.Exec(t, 0, `INSERT INTO t VALUES (1, 'hidden', 'w'), (2, 'seen', 'w'), (3, 'seen', 'w'), (4, 'seen', 'w')`)
			c.Exec(t, 1, `INSERT INTO t VALUES (1, 'seen', 'w'), (2, 'hidden', 'w'), (3, 'seen', 'local'), (5, 'seen', 'gone')`)
			d := s.Diff(t, "public.t", args...)
			r := repair(t, s, d.TaskID, "n1", nil)
			if r.Status != api.StatusCompleted {
				t.Fatalf("%s %s", r.Status, r.Error)
			}
			for _, row := range c.QueryStrings(t, 1, `SELECT id, v, w FROM t`) {
				if args[0] == "ignore_columns" && row[0] < "4" && row[1] == map[string]string{"1": "hidden", "2": "seen"}[row[0]] {
					t.Errorf("the ignored column of %v was written", row)
				}
				if len(args) == 4 && row[0] == "3" && row[2] != "local" {
					t.Errorf("the ignored column of %v was written", row)
				}
			}
			if got := c.QueryStrings(t, 1, `SELECT count(*) FROM t WHERE id < 4`)[0][0]; got != "3" {
				t.Errorf("%s of the 3 rows that the source has too are left", got)
			}
		})
	}
}

func TestTableRepair_ReportsAndResultsContainNoSecret(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1)`)
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", func(r *api.TableRepairRequest) { r.GenerateReport = true })
	object, err := s.Store.Get(t.Context(), r.ReportFile)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	var report map[string]json.RawMessage
	if err := json.NewDecoder(object.Body).Decode(&report); err != nil {
		t.Fatal(err)
	}
	for name, text := range report {
		if strings.Contains(string(text), c.Password) || strings.Contains(string(text), "password") {
			t.Errorf("%s has %s", name, text)
		}
	}
}
