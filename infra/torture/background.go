package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// isWritten reports whether the application writes the row with a key.
func isWritten(key string) bool {
	number, err := strconv.Atoi(key)
	return err == nil && number%7 == 3
}

// write is an application that writes rows of the table on all nodes until no new work is
// to begin.
func (l *lane) write(ctx context.Context) {
	r := rand.New(rand.NewPCG(l.seed, 200))
	for !l.over() && ctx.Err() == nil {
		key := r.IntN(l.table.rows/7)*7 + 3
		sql := []string{
			fmt.Sprintf(`UPDATE %s SET v = 'app %d' WHERE id = %d`, l.table.name, r.IntN(1000), key),
			fmt.Sprintf(`DELETE FROM %s WHERE id = %d`, l.table.name, key),
			fmt.Sprintf(`INSERT INTO %s (id, v) VALUES (%d, 'app') ON CONFLICT DO NOTHING`, l.table.name, key),
		}[r.IntN(3)]
		if _, err := l.bed.nodes[r.IntN(nodeCount)].query(ctx, `SET lock_timeout = '1s'`, sql); err == nil {
			l.count("written by an application")
		}
		pause(ctx, 40*time.Millisecond)
	}
}

// alter rewrites, truncates, alters and creates the table again, on a node at a time,
// until no new work is to begin. Each change leaves all rows as they are. A change that
// copies them locks the table first, so that no row is written between copy and deletion.
func (l *lane) alter(ctx context.Context) {
	r := rand.New(rand.NewPCG(l.seed, 300+uint64(len(l.table.name))))
	changes := []struct{ name, sql string }{
		{"VACUUM FULL", `VACUUM FULL %[1]s`},
		{"CLUSTER", `CLUSTER %[1]s USING %[1]s_pkey`},
		{"ALTER TYPE", `ALTER TABLE %[1]s ALTER COLUMN v TYPE varchar(2000); ALTER TABLE %[1]s ALTER COLUMN v TYPE text`},
		{"ADD COLUMN", `ALTER TABLE %[1]s ADD COLUMN extra double precision DEFAULT random(); ALTER TABLE %[1]s DROP COLUMN extra`},
		{"TRUNCATE and refill", `LOCK TABLE %[1]s; CREATE TEMP TABLE saved ON COMMIT DROP AS TABLE %[1]s; TRUNCATE %[1]s; INSERT INTO %[1]s SELECT * FROM saved`},
		{"DROP and create", `LOCK TABLE %[1]s; CREATE TABLE again (LIKE %[1]s INCLUDING DEFAULTS INCLUDING INDEXES); INSERT INTO again SELECT * FROM %[1]s; DROP TABLE %[1]s;
			ALTER TABLE again RENAME TO %[1]s; ALTER INDEX again_pkey RENAME TO %[1]s_pkey; GRANT SELECT, INSERT, UPDATE, DELETE ON %[1]s TO ` + aceRole},
	}
	for !l.over() && ctx.Err() == nil {
		change := changes[r.IntN(len(changes))]
		sql := fmt.Sprintf(strings.ReplaceAll(change.sql, "again", "again_"+l.table.name), l.table.name)
		if _, err := l.bed.nodes[r.IntN(nodeCount)].query(ctx, `SET lock_timeout = '2s'`, sql); err == nil {
			l.count("table: " + change.name)
		} else {
			l.count("table: " + change.name + " failed")
		}
		pause(ctx, time.Duration(r.IntN(400))*time.Millisecond)
	}
}
