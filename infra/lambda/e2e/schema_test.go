//go:build !unit

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"ace/shared/api"
	"ace/shared/setfile"
)

// With one task runner, which has to hand over several times, a schema-diff compares all
// tables, each in one task.
func TestFunctions_CompareASchemaWithOneTaskRunner(t *testing.T) {
	t.Parallel()
	const tables = 12
	s := newSite(t)
	for i := range tables {
		s.cluster.ExecAll(t, fmt.Sprintf(`CREATE TABLE t%d (id int PRIMARY KEY, v text); INSERT INTO t%[1]d SELECT i, 'v' FROM generate_series(1, 2000) i`, i))
	}
	s.cluster.Exec(t, 1, `UPDATE t3 SET v = 'w' WHERE id = 7`)
	d := s.deploy(t, settings{limits: map[string]time.Duration{runner: 8 * time.Second}, capacity: map[string]int{runner: 1}})
	id := d.submitTo(t, "/ace/schema-diff", "cluster_name", d.cluster, "schema_name", "public", "confirm_delay", "0", "block_rows", "1000", "batch_size", "1")
	status := d.wait(t, id)

	var result api.SetResult
	if err := json.Unmarshal(status.Result, &result); err != nil || status.Status != api.StatusCompleted {
		t.Fatalf("it ended %s (%s): %v", status.Status, status.Error, err)
	}
	if want := (api.SetTables{Identical: tables - 1, Different: 1}); result.Tables != want || result.MismatchedRows != 1 {
		t.Errorf("the result is %+v", result)
	}
	document, err := setfile.Read(bytes.NewReader(d.document(t, id)))
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range document.Tables {
		if of := d.status(t, table.TaskID); of.Status != api.StatusCompleted || of.Parent != id || of.TableName != table.Table.String() {
			t.Errorf("the task of %s is %+v", table.Table, of)
		}
	}
	t.Logf("%d invocations of the task runner", len(d.emulator.Invocations(runner)))
}
