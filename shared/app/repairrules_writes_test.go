//go:build !unit

package app_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/ruleoracle"
	"ace/shared/api"
)

type writtenRow struct {
	key  string
	node int
}

// appWrites are what an application writes during a repair.
type appWrites struct {
	seed uint64
	at   int // the number of the call, among the calls of the store below repairs/, before which the application writes

	rows map[writtenRow]bool // the rows that were written
	busy map[int]bool        // the nodes on which the repair had locked rows at that moment
}

// checkWithWrites repairs again, and writes to some rows after the decision. A row that
// was written stays as it is. On each other node, the row with this key is the old one,
// or the winner if the repair had already changed it or was changing it.
func (round ruleRound) checkWithWrites(t *testing.T, s *apptest.Service, store *faulty.Store, d apptest.Diff) {
	t.Helper()
	c := s.Cluster
	before := round.held(t, c)
	var sessions []*pgx.Conn
	for node := range c.Nodes {
		sessions = append(sessions, c.Connect(t, node))
	}
	var between holding
	var once sync.Once
	store.On(faulty.Any, "repairs/", func(n int) faulty.Outcome {
		if n >= round.writes.at {
			once.Do(func() { between = round.write(t, sessions, before) })
		}
		return faulty.Pass
	})
	r := repair(t, s, d.TaskID, "", round.change)
	store.Heal()
	if between == nil { // the repair had nothing to do
		between = before
	}
	if r.Status != api.StatusCompleted {
		t.Fatalf("%s %s", r.Status, r.Error)
	}
	round.checkWritten(t, c, before, between, r)

	if u := undo(t, s, r.TaskID, nil); u.Status != api.StatusCompleted && !strings.Contains(u.Error, "nothing to undo") {
		t.Errorf("undo: %s %s", u.Status, u.Error)
	}
	after := round.held(t, c)
	for _, key := range keysOf(before, after) {
		for node := range c.Nodes {
			want := before.at(key, node).Row
			if round.writes.rows[writtenRow{key, node}] {
				want = between.at(key, node).Row
			}
			if got := after.at(key, node).Row; !ruleoracle.Same(got, want) {
				t.Errorf("after the undo, key %s: %s has %q, want %q", key, c.Nodes[node].Name, got, want)
			}
		}
	}
	if t.Failed() {
		t.Fatalf("%+v, written %v, changed %v, result %+v", round.oracle, round.writes, names(c, round.target), r)
	}
}

// write changes, deletes or inserts up to twelve rows, each on one node, unless the
// repair has locked them. It returns what the nodes have then.
func (round ruleRound) write(t *testing.T, sessions []*pgx.Conn, before holding) holding {
	r := rand.New(rand.NewPCG(round.writes.seed, 2))
	ctx := context.WithoutCancel(t.Context())
	for node, session := range sessions {
		var locks int
		err := session.QueryRow(ctx, `SELECT count(*) FROM pg_locks WHERE relation = '`+round.table+`'::regclass AND mode IN ('RowShareLock', 'RowExclusiveLock')`).Scan(&locks)
		if err != nil {
			t.Error(err)
		}
		round.writes.busy[node] = locks > 0
	}
	keys := slices.Sorted(maps.Keys(before))
	for range 12 {
		row := writtenRow{oneOf(r, keys...), oneOf(r, round.nodes...)}
		where := fmt.Sprintf(` WHERE (%s) = '%s'`, round.shape.same, strings.ReplaceAll(row.key, "'", "''"))
		sql := oneOf(r, `UPDATE `+round.table+` SET v = 'application'`+where, `DELETE FROM `+round.table+where, round.insertion(before[row.key]))
		result, err := sessions[row.node].Exec(ctx, `SET lock_timeout = '50ms'; `+sql, pgx.QueryExecModeSimpleProtocol)
		if err == nil && result.RowsAffected() > 0 {
			round.writes.rows[row] = true
		}
	}
	return round.queried(len(sessions), func(node int, sql string) [][]string {
		rows, err := sessions[node].Query(ctx, sql, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Error(err)
			return nil
		}
		texts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]string, error) {
			var values []string
			for _, raw := range row.RawValues() {
				if raw == nil {
					values = append(values, pgtest.Null)
				} else {
					values = append(values, string(raw))
				}
			}
			return values, nil
		})
		if err != nil {
			t.Error(err)
		}
		return texts
	})
}

// insertion returns a statement that inserts a row with the key of these, unless the node
// has one.
func (round ruleRound) insertion(nodes []ruleoracle.Version) string {
	var values []string
	for _, n := range nodes {
		if n.Row != nil {
			values = nil
			for _, value := range n.Row {
				if value == pgtest.Null {
					values = append(values, "NULL")
				} else {
					values = append(values, "'"+strings.ReplaceAll(value, "'", "''")+"'")
				}
			}
		}
	}
	values[len(values)-5] = `'application'`
	return fmt.Sprintf(`INSERT INTO %s (%s, %s) VALUES (%s) ON CONFLICT DO NOTHING`, round.table, round.shape.key(), readColumns, strings.Join(values, ", "))
}

// checkWritten compares the rows after a repair with those before it, the oracle, and
// what the nodes had when the application had written.
func (round ruleRound) checkWritten(t *testing.T, c *pgtest.Cluster, before, between holding, r repaired) {
	t.Helper()
	after := round.held(t, c)
	rulings, _ := round.rulings(before, r)
	undecided := int64(0)
	for _, key := range keysOf(before, after) {
		ruling := rulings[key]
		if ruling.Kind == ruleoracle.Undecided {
			undecided++
		}
		written, settled := false, true // written: the application wrote the key; settled: what it wrote is the winner
		for node := range c.Nodes {
			if round.writes.rows[writtenRow{key, node}] {
				written = true
				settled = settled && ruleoracle.Same(between.at(key, node).Row, ruling.Winner)
			}
		}

		for node := range c.Nodes {
			got, seen, old := after.at(key, node).Row, between.at(key, node).Row, before.at(key, node).Row
			target := ruling.Kind == ruleoracle.Decided && slices.Contains(round.target, node)
			right := ruleoracle.Same(got, seen)
			switch {
			case round.writes.rows[writtenRow{key, node}]:
			case target && written && !settled: // its rows may have been compared already
				right = right || round.writes.busy[node] && ruleoracle.Same(got, ruling.Winner)
			case target && (!written || settled):
				right = ruleoracle.Same(got, ruling.Winner)
			}
			if !right {
				t.Errorf("%s, key %s: %s has %q, when the application wrote %q, before %q, winner %q", ruling.Kind, key, c.Nodes[node].Name, got, seen, old, ruling.Winner)
			}
		}
	}
	for _, n := range r.Nodes {
		undecided += n.Skipped
	}
	if *r.Undecided != undecided {
		t.Errorf("%d undecided, want %d: %+v", *r.Undecided, undecided, r)
	}
}
