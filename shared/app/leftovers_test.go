//go:build !unit

package app_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/difffile"
)

// sensitiveSQL creates a table whose texts depend on settings. A trigger logs the session
// of each write: the settings that differ from the database's, the role, and the other
// state of the session.
const sensitiveSQL = `
CREATE TABLE t (id int PRIMARY KEY, at timestamptz, f float8, b bytea, every interval, cost money, list text[], v text);
INSERT INTO t SELECT i, timestamptz '2026-03-04 05:06:07Z' + i * interval '1 h', i / 3.0::float8, decode(to_hex(4096 + i), 'hex'),
	i * interval '1 day 1 s', i::money, ARRAY['a', NULL, i::text], 'v' FROM generate_series(1, 60) i;
ANALYZE t;
CREATE TABLE public.written_by (line text);
CREATE FUNCTION public.log_session() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO public.written_by
	SELECT name || ' = ' || setting FROM pg_catalog.pg_settings WHERE source = 'session' OR name IN ('synchronous_commit', 'session_replication_role')
	UNION ALL SELECT 'ace.mark = ' || pg_catalog.current_setting('ace.mark', true)
	UNION ALL SELECT 'roles: ' || current_user || ', ' || session_user
	UNION ALL SELECT 'prepared: ' || name FROM pg_catalog.pg_prepared_statements
	UNION ALL SELECT 'cursor: ' || name FROM pg_catalog.pg_cursors WHERE name <> '' AND is_holdable
	UNION ALL SELECT 'channel: ' || c FROM pg_catalog.pg_listening_channels() c;
	RETURN NULL; END $$;
CREATE TRIGGER log_session AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION public.log_session();
ALTER TABLE t ENABLE ALWAYS TRIGGER log_session`

// remainsSQL lists what other sessions and ended tasks left in the database.
const remainsSQL = `
SELECT 'advisory lock: ' || objid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL SELECT 'large object: ' || oid FROM pg_largeobject_metadata
UNION ALL SELECT 'relation: ' || relname FROM pg_class WHERE relpersistence = 't' OR relname = 'ace_left'`

// effectsAtOnce is the number of comparisons whose filter has a side effect that run
// before the other operations.
const effectsAtOnce = 4

// Case O-F7, see docs/RELIABILITY.md.
func TestLeftovers_AFilterWithAnEffectChangesNoLaterOperation(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, pgtest.EffectFunctions(), sensitiveSQL)
	c.Exec(t, 1, `UPDATE t SET f = f + 1, at = at + interval '1 us' WHERE id IN (5, 6)`, `DELETE FROM t WHERE id = 7`,
		`INSERT INTO t (id, v) VALUES (100, 'own')`)
	want := operationsAfter(t, c, nil)

	effects := pgtest.Effects()
	random := rand.New(rand.NewPCG(soak.Seed(t), 7))
	random.Shuffle(len(effects), func(i, j int) { effects[i], effects[j] = effects[j], effects[i] })
	tried := min(len(effects), soak.Rounds(t, 2*effectsAtOnce, len(effects)))
	for group := range slices.Chunk(effects[:tried], effectsAtOnce) {
		var names []string
		for _, effect := range group {
			names = append(names, effect.Name)
		}
		t.Run(strings.Join(names, ", "), func(t *testing.T) {
			if diff := cmp.Diff(want, operationsAfter(t, c, group)); diff != "" {
				t.Errorf("(-without, +after the filters)\n%s", diff)
			}
		})
	}
	soak.Report(t, "%d of %d effects, %d before each run of nine operations", tried, len(effects), effectsAtOnce)
}

// operationsAfter returns the result of each operation of a new service after a
// comparison with each of the filters. The service has two connections to each node.
func operationsAfter(t *testing.T, c *pgtest.Cluster, filters []pgtest.Effect) []string {
	t.Helper()
	s := apptest.New(t, c, apptest.Options{Parallel: 1})
	defer s.App.Close()
	for _, effect := range filters { // the comparison fails if the effect breaks the filter itself
		s.Wait(t, s.Submit(t, "public.t", "table_filter", effect.Filter))
		nothingRemains(t, c, effect.Name)
	}
	c.Exec(t, 1, `TRUNCATE public.written_by`)
	before := content(t, c, 1, "t")

	// The first operation may use the sessions of the filter above.
	outcomes := []string{outcomeOf("filtered", s.Diff(t, "public.t", "table_filter", "id % 2 = 0"))}
	d := s.Diff(t, "public.t")
	outcomes = append(outcomes, outcomeOf("full", d), outcomeOf("rerun", s.Rerun(t, d.TaskID, "public.t")),
		outcomeOf("rerun by hostdb", s.Rerun(t, d.TaskID, "public.t", "behavior", "hostdb")))

	dry := repair(t, s, d.TaskID, "n1", dryRun)
	r := repair(t, s, d.TaskID, "n1", nil)
	outcomes = append(outcomes, endOf("dry run", dry.Status, dry.Error, dry.RepairResult), endOf("repair", r.Status, r.Error, r.RepairResult))
	outcomes = append(outcomes, writers(t, c)...)
	outcomes = append(outcomes, outcomeOf("incremental", s.Diff(t, "public.t", "baseline", "last")))

	u := undo(t, s, r.TaskID, nil)
	outcomes = append(outcomes, strings.ReplaceAll(endOf("undo", u.Status, u.Error, u.UndoResult), r.TaskID, "REPAIR"))
	outcomes = append(outcomes, writers(t, c)...)
	outcomes = append(outcomes, outcomeOf("incremental after the undo", s.Diff(t, "public.t", "baseline", "last")))

	if diff := cmp.Diff(before, content(t, c, 1, "t")); diff != "" {
		t.Errorf("the rows after the undo:\n%s", diff)
	}
	nothingRemains(t, c, "all operations")
	return outcomes
}

// outcomeOf returns the result of a comparison without task ids and times.
func outcomeOf(name string, d apptest.Diff) string {
	return fmt.Sprintln(name, d.Result.Verdict, d.Result.TotalRows, d.Result.MismatchedRows, d.Summary.RowsPerNode, d.Summary.ResolvedRows,
		d.Summary.UnsettledRows, asJSON([]difffile.PairSummary(d.Summary.Pairs)), d.Summary.Warnings, d.Rows)
}

func endOf(name, status, message string, result any) string {
	return fmt.Sprintln(name, status, message, asJSON(result))
}

func asJSON(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

var taskInName = regexp.MustCompile(`application_name = ace t[ru]_[0-9a-z_]+`)

// writers returns the logged sessions that wrote to the second node's table, without the
// ids of their tasks.
func writers(t *testing.T, c *pgtest.Cluster) (lines []string) {
	t.Helper()
	for _, row := range c.QueryStrings(t, 1, `SELECT DISTINCT line FROM public.written_by WHERE line <> '' ORDER BY line`) {
		lines = append(lines, taskInName.ReplaceAllString(row[0], "application_name = ace TASK"))
	}
	if len(lines) == 0 {
		t.Error("nothing was written")
	}
	return lines
}

// nothingRemains waits until the sessions of ended tasks hold nothing. The timeout is for
// a loaded machine.
func nothingRemains(t *testing.T, c *pgtest.Cluster, after string) {
	t.Helper()
	for node := range c.Nodes {
		var left [][]string
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if left = c.QueryStrings(t, node, remainsSQL); len(left) == 0 || time.Now().After(deadline) {
				break
			}
		}
		if len(left) > 0 {
			t.Errorf("after %s node %d keeps %v", after, node, left)
		}
	}
}
