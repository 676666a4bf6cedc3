//go:build !unit

package main_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/setfile"
)

// TestSchemaDiff_SurvivesKills kills the service several times while it compares many
// tables. The result is that of an uninterrupted comparison: no table is lost, and none
// is reported equal that was not compared.
func TestSchemaDiff_SurvivesKills(t *testing.T) {
	t.Parallel()
	const tables = 60
	c := pgtest.NewCluster(t)
	c.ExecAll(t, fmt.Sprintf(`DO $$ BEGIN FOR i IN 1..%d LOOP
		EXECUTE format('CREATE TABLE t%%s (id int PRIMARY KEY, v text)', i);
		EXECUTE format('INSERT INTO t%%s SELECT g, ''v'' FROM generate_series(1, 10) g', i); END LOOP; END $$`, tables))
	c.Exec(t, 1, `DO $$ BEGIN FOR i IN 1..60 BY 7 LOOP EXECUTE format('UPDATE t%s SET v = ''w'' WHERE id = 3', i); END LOOP; END $$`)
	h := newHome(t, c)
	s := h.serve(t, settings{"ACE_MAX_QUEUE": "1"})

	var submitted api.Submitted
	query := url.Values{"cluster_name": {c.Name}, "schema_name": {"public"}, "compare": {"data"}, "confirm_delay": {"0"}}
	s.read(t, "/ace/schema-diff", query.Encode(), &submitted)
	id := submitted.TaskID
	for _, done := range []int64{5, 20, 40} {
		eventually(t, taskTimeout, "some tables are compared", func() bool {
			status := s.status(t, id)
			return status.Status == api.StatusCompleted || status.Progress != nil && status.Progress.TablesDone >= done
		})
		s.kill()
		s = h.serve(t, settings{"ACE_MAX_QUEUE": "1"})
	}

	var status api.TaskStatus
	eventually(t, taskTimeout, "the schema-diff ends", func() bool {
		status = s.status(t, id)
		return !status.FinishedAt.IsZero()
	})
	var result api.SetResult
	if err := json.Unmarshal(status.Result, &result); err != nil || status.Status != api.StatusCompleted {
		t.Fatalf("it ended %s (%s): %v", status.Status, status.Error, err)
	}
	const different = (tables + 6) / 7
	if want := (api.SetTables{Identical: tables - different, Different: different}); result.Tables != want || result.MismatchedRows != different {
		t.Errorf("the result is %+v, want %+v", result, want)
	}
	checkSet(t, s, id, tables)
}

// checkSet makes sure that each table of a schema-diff has exactly one task, which
// compared it and agrees with the document.
func checkSet(t *testing.T, s *service, id string, tables int) {
	t.Helper()
	var document setfile.Document
	decode(t, s.get(t, "/ace/diffs/"+id, ""), &document)
	tasks := map[string]string{}
	for _, table := range document.Tables {
		if other := tasks[table.TaskID]; other != "" {
			t.Errorf("%s and %s have the task %s", other, table.Table, table.TaskID)
		}
		tasks[table.TaskID] = table.Table.String()
	}
	if len(tasks) != tables {
		t.Errorf("the document has %d tables, want %d", len(tasks), tables)
	}

	var list api.TaskList
	s.read(t, "/ace/tasks", "limit=1000&parent="+id, &list)
	if len(list.Tasks) != tables {
		t.Errorf("there are %d tasks of tables, want %d", len(list.Tasks), tables)
	}
	for _, of := range list.Tasks {
		if of.Status != api.StatusCompleted || tasks[of.TaskID] != of.TableName {
			t.Errorf("the task %s of %s is %s; the document has it for %q", of.TaskID, of.TableName, of.Status, tasks[of.TaskID])
		}
	}
}
