//go:build !unit

package tablerepair_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"ace/shared/fault"
	"ace/shared/tablerepair"
)

// A row is to be deleted, and its key appears at the source first. Nothing brings the
// source's row to the target, so the target's row stays; the next repair compares both.
func TestRepair_KeepsARowWhoseKeyAppearedAtTheSource(t *testing.T) {
	t.Parallel()
	for name, commit := range map[string]func(context.Context, func(context.Context) error) error{
		"committed": nil,
		"the response to COMMIT is lost": func(ctx context.Context, real func(context.Context) error) error {
			if err := real(ctx); err != nil {
				return err
			}
			return fault.Wrap(errLost, fault.Unavailable, "the connection was lost")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newDiffering(t)
			b.commit = commit
			b.once("n2 Mark", func() { b.cluster.Exec(t, 0, `INSERT INTO t VALUES (4, 'new')`) })
			r, err := b.run(t.Context(), t)
			if err != nil || r.Nodes[0].Outcome != tablerepair.Committed {
				t.Fatalf("result %+v, error %v", r, err)
			}
			n := r.Nodes[0].Totals
			if n.Inserted != 1 || n.Updated != 1 || n.Deleted != 0 || n.Skipped != 1 || !strings.Contains(strings.Join(r.Warnings, " "), "1 rows were not deleted") {
				t.Errorf("counts %+v, warnings %v", n, r.Warnings)
			}
			if got := b.rows(t); got != wanted+" (4,y)" {
				t.Errorf("n2 has %s", got)
			}
			document, err := tablerepair.NewBeforeImages(b.store).Ensure(t.Context(), b.record(t))
			if err != nil {
				t.Fatal(err)
			}
			if images := b.read(t, document); strings.Contains(images, `"op":"delete"`) || !strings.Contains(images, `"op":"update"`) {
				t.Errorf("the before-images are %s", images)
			}
			u, err := b.takeBack(t, b.job.Nodes...)
			if err != nil || b.rows(t) != before || u.Nodes[0].Totals.Unchanged != 1 {
				t.Errorf("after the undo n2 has %s: %+v, error %v", b.rows(t), u, err)
			}
		})
	}
}

// Replication brings the row that appeared at the source, but cannot insert it before the
// target's row is deleted.
func TestRepair_DeletesARowThatReplicationReplaces(t *testing.T) {
	t.Parallel()
	c := followed(t)
	publish(t, c, `INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
	c.Exec(t, 1, `DELETE FROM t; INSERT INTO t VALUES (2, 'x'), (3, 'c'), (4, 'y')`)
	b := newBench(t, c)
	b.once("n2 Mark", func() { c.Exec(t, 0, `INSERT INTO t VALUES (4, 'new')`) })
	if r, err := b.run(t.Context(), t); err != nil || r.Nodes[0].Totals.Deleted != 1 {
		t.Fatalf("result %+v, error %v", r, err)
	}
	if !publish(t, c, `SELECT`) {
		t.Fatal("the subscription stands still")
	}
	if got := b.rows(t); got != wanted+" (4,new)" {
		t.Errorf("n2 has %s", got)
	}
}

// A row is withdrawn after it was inserted. Triggers that are enabled for replicas fire
// then, and need the search_path of the role.
func TestRepair_WithdrawsARowUnderTheSearchPathOfTriggers(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	b.cluster.Exec(t, 1, `CREATE TABLE audit (id int)`,
		`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit VALUES (OLD.id); RETURN NULL; END'`,
		`CREATE TRIGGER plain AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t ENABLE ALWAYS TRIGGER plain`,
		`CREATE CONSTRAINT TRIGGER later AFTER DELETE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE t ENABLE REPLICA TRIGGER later`)
	b.once("n2 Insert", func() { b.cluster.Exec(t, 0, `UPDATE t SET v = 'new' WHERE id = 1`) })
	r, err := b.run(t.Context(), t)
	if err != nil || r.Nodes[0].Outcome != tablerepair.Committed || r.Nodes[0].Totals.Inserted != 0 {
		t.Fatalf("result %+v, error %v", r, err)
	}
	if got := b.cluster.QueryStrings(t, 1, `SELECT id, count(*) FROM audit GROUP BY id ORDER BY id`); fmt.Sprint(got) != "[[1 2] [4 2]]" {
		t.Errorf("the triggers fired for %v, want twice for the rows 1 and 4", got)
	}
}
