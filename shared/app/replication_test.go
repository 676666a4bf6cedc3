//go:build !unit

package app_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ace/infra/testkit/pgtest"
)

// replicated creates two nodes, of which the second subscribes to the first by logical
// replication.
func replicated(t *testing.T) *pgtest.Cluster {
	t.Helper()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE TABLE beat (id int PRIMARY KEY, n bigint); INSERT INTO beat VALUES (1, 0)`)
	c.Exec(t, 0, `CREATE PUBLICATION publication FOR TABLE beat`)
	c.Exec(t, 1, fmt.Sprintf(`CREATE SUBSCRIPTION subscription CONNECTION '%s' PUBLICATION publication WITH (copy_data = false)`, c.DSN(0)))
	t.Cleanup(func() { c.Exec(t, 1, `DROP SUBSCRIPTION subscription`) })
	return c
}

// follow replicates a table to the second node from now on. The table must be equal on
// both nodes.
func follow(t *testing.T, c *pgtest.Cluster, table string) {
	t.Helper()
	c.Exec(t, 0, `ALTER PUBLICATION publication ADD TABLE `+table)
	c.Exec(t, 1, `ALTER SUBSCRIPTION subscription REFRESH PUBLICATION WITH (copy_data = false)`)
}

// unfollow ends the replication and drops the table.
func unfollow(t *testing.T, c *pgtest.Cluster, table string) {
	t.Helper()
	c.Exec(t, 0, `ALTER PUBLICATION publication DROP TABLE `+table)
	c.Exec(t, 1, `ALTER SUBSCRIPTION subscription REFRESH PUBLICATION`)
	c.ExecAll(t, `DROP TABLE `+table)
}

// beat waits until the second node has all current changes of the first.
type beat struct{ first, second *pgx.Conn }

func newBeat(t *testing.T, c *pgtest.Cluster) beat {
	t.Helper()
	return beat{c.Connect(t, 0), c.Connect(t, 1)}
}

func (b beat) wait(ctx context.Context) error {
	var sent, got int64
	if err := b.first.QueryRow(ctx, `UPDATE beat SET n = n + 1 RETURNING n`).Scan(&sent); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); got < sent; time.Sleep(2 * time.Millisecond) {
		if err := b.second.QueryRow(ctx, `SELECT n FROM beat`).Scan(&got); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("replication has not caught up for a minute")
		}
	}
	return nil
}

// The numbers of rows. The table begins with the multiples of rowStep. The load does not
// write the multiples of quietStep. The numbers of the rows that it adds end in
// loadDigit. A test may add rows whose numbers end in freeDigit.
const (
	rowStep   = 10
	quietStep = 1000
	loadDigit = 7
	freeDigit = 5
)

// load writes to a table of the first node like an application until it is stopped.
type load struct {
	table   string
	key     string       // SQL of the key of the row whose number is %s
	rows    int64        // number of rows that the table begins with
	written atomic.Int64 // number of rows that were written
	unpaced atomic.Bool  // writers do not wait for replication
	stop    context.CancelFunc
	writers sync.WaitGroup
}

const (
	loadWriters = 4
	// loadPace is the number of statements after which a writer waits for replication,
	// which keeps the lag far below a second.
	loadPace = 20
)

func startLoad(t *testing.T, c *pgtest.Cluster, seed uint64, l *load) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l.stop = stop
	var conns []*pgx.Conn
	var paces []beat
	for range loadWriters {
		conns, paces = append(conns, c.Connect(t, 0)), append(paces, newBeat(t, c))
	}
	t.Cleanup(l.end) // before the connections are closed
	for i := range loadWriters {
		l.writers.Go(func() {
			if err := l.run(ctx, conns[i], paces[i], rand.New(rand.NewPCG(seed, uint64(i)))); err != nil && ctx.Err() == nil {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	return l
}

// run is one writer, which writes until ctx ends.
func (l *load) run(ctx context.Context, conn *pgx.Conn, pace beat, rng *rand.Rand) error {
	for n := 1; ctx.Err() == nil; n++ {
		if err := l.write(ctx, conn, rng); err != nil {
			return err
		}
		if n%loadPace == 0 && !l.unpaced.Load() {
			if err := pace.wait(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// end stops the writers and waits for them.
func (l *load) end() {
	l.stop()
	l.writers.Wait()
}

// wait waits until n more rows are written.
func (l *load) wait(ctx context.Context, more int64) {
	for want := l.written.Load() + more; l.written.Load() < want && ctx.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
}

// write runs one transaction. A duplicate key or a deadlock is normal for an application.
func (l *load) write(ctx context.Context, conn *pgx.Conn, rng *rand.Rand) error {
	sql, second := l.statement(rng)
	first := rowStep * (1 + rng.Int64N(l.rows))
	if first%quietStep == 0 || second%quietStep == 0 {
		return nil
	}
	sql = strings.NewReplacer("TABLE", l.table, "KEY1", fmt.Sprintf(l.key, "$1::bigint"), "KEY2", fmt.Sprintf(l.key, "$2::bigint")).Replace(sql)
	tag, err := conn.Exec(ctx, sql, first, second)
	l.written.Add(tag.RowsAffected())
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && (pgErr.Code == "23505" || pgErr.Code == "40P01") {
		return nil
	}
	return err
}

// statement draws a change of a row of the table and, in some cases, of a second row.
func (l *load) statement(rng *rand.Rand) (sql string, second int64) {
	another, fresh := rowStep*(1+rng.Int64N(l.rows)), rowStep*(1+rng.Int64N(2*l.rows))+loadDigit
	switch kind := rng.IntN(10); {
	case kind < 3:
		return `UPDATE TABLE SET balance = balance + $2::bigint WHERE id = KEY1`, another
	case kind < 4:
		return `UPDATE TABLE SET balance = balance + 1 WHERE id IN (KEY1, KEY2)`, another
	case kind < 5:
		return `UPDATE TABLE SET v = v WHERE id IN (KEY1, KEY2)`, another // the row moves, but does not change
	case kind < 7:
		return `INSERT INTO TABLE VALUES (KEY2, $2::bigint, 'new', $1::bigint, repeat('f', 140)) ON CONFLICT DO NOTHING`, fresh
	case kind < 8:
		return `DELETE FROM TABLE WHERE id IN (KEY1, KEY2)`, another
	}
	return `UPDATE TABLE SET id = KEY2, n = $2::bigint WHERE id = KEY1`, fresh
}

// differing returns the numbers of the rows that differ between the nodes or exist on
// only one of them.
func differing(t *testing.T, c *pgtest.Cluster, table string) []string {
	t.Helper()
	rows := map[string]string{}
	for _, row := range c.QueryStrings(t, 0, `SELECT n, md5(x::text) FROM `+table+` x`) {
		rows[row[0]] = row[1]
	}
	var found []string
	for _, row := range c.QueryStrings(t, 1, `SELECT n, md5(x::text) FROM `+table+` x`) {
		if rows[row[0]] != row[1] {
			found = append(found, row[0])
		}
		delete(rows, row[0])
	}
	for n := range rows {
		found = append(found, n)
	}
	slices.Sort(found)
	return found
}
