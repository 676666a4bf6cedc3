//go:build !unit

package app_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/output"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive"
)

// A node refuses a value, and the key of a row is spelled in two ways.
func TestRedact_NoRefusedValueIsQuotedAndNoHashIsWritten(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id numeric PRIMARY KEY, v text, w text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1.0, 'secret-same', 'a'), (2, 'secret-refused', 'a')`)
	c.Exec(t, 1, `INSERT INTO t VALUES (1.00, 'secret-same', 'b'), (2, 'secret-old', 'a')`,
		`ALTER TABLE t ADD CHECK (v <> 'secret-refused')`)
	log := &output.Buffer{}
	store := newRecordingStore(t)
	s := apptest.New(t, c, apptest.Options{Store: store, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})

	diff := s.Diff(t, "public.t", "redact", "v")
	hashes := map[string][]string{}
	for _, row := range diff.Rows {
		id := strings.TrimRight(row.Values["id"], ".0")
		hashes[id] = append(hashes[id], row.Values["v"])
	}
	if h := hashes; len(h["1"]) != 2 || h["1"][0] != h["1"][1] || len(h["2"]) != 2 || h["2"][0] == h["2"][1] {
		t.Errorf("the hashes of equal values under two spellings of a key, and of different values: %v", h)
	}

	refused := repair(t, s, diff.TaskID, "n1", func(r *api.TableRepairRequest) { r.GenerateReport = true })
	if refused.Status != api.StatusFailed || !strings.Contains(refused.Error, "t_v_check") && !strings.Contains(refused.Error, "23514") {
		t.Errorf("the refused repair: %s %s", refused.Status, refused.Error)
	}
	if found := secret.FindString(refused.Error + log.String() + fmt.Sprint(refused.RepairResult)); found != "" {
		t.Errorf("an error or the log contains %q", found)
	}
	for _, id := range []string{diff.TaskID, refused.TaskID} {
		if _, err := store.Stat(t.Context(), archive.PlanKey(id)); err == nil {
			t.Errorf("the plan of the ended task %s, with the key of its hashes, still exists", id)
		}
	}

	c.Exec(t, 1, `ALTER TABLE t DROP CONSTRAINT t_v_check`)
	if done := repair(t, s, diff.TaskID, "n1", nil); done.Status != api.StatusCompleted {
		t.Fatalf("the repair: %s %s", done.Status, done.Error)
	}
	if got := fmt.Sprint(c.QueryStrings(t, 1, `SELECT v, w FROM t ORDER BY id`)); got != "[[secret-same a] [secret-refused a]]" {
		t.Errorf("after the repair n2 has %s", got)
	}
}
