package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"ace/infra/testkit/pgserver"
)

// readingCluster is the cluster in which a standby of a node takes the node's place.
const readingCluster = "reading"

// conflictFault is the fault that needs a standby which is read.
const conflictFault = "standby conflict of node"

// addReader starts a standby of a node that only the lane "reading" reads. It cancels
// what prevents it from applying changes for longer than a moment.
func (r *run) addReader(ctx context.Context, i int) error {
	reader, err := pgserver.StartCopy(ctx, r.bed.nodes[i].primary(), true)
	if err != nil {
		return err
	}
	r.release = append(r.release, reader.Close)
	r.reader = &node{name: r.bed.nodes[i].name, server: reader}
	_, err = r.reader.queryIn(ctx, "postgres", `ALTER SYSTEM SET max_standby_streaming_delay = '20ms'`,
		`ALTER SYSTEM SET max_standby_archive_delay = '20ms'`, `ALTER SYSTEM SET hot_standby_feedback = off`, `SELECT pg_reload_conf()`)
	return err
}

// conflict updates rows without changing them and removes the dead rows at once, which a
// comparison that reads the standby still needs.
func conflict(ctx context.Context, r *run, f fault) (func(context.Context) error, error) {
	n := r.bed.nodes[f.target]
	until := time.Now().Add(max(f.lasts, time.Second))
	for round := 0; time.Now().Before(until) && ctx.Err() == nil; round++ {
		_, err := n.query(ctx, fmt.Sprintf(`UPDATE reading SET v = v WHERE id %% 7 = %d`, round%7), `VACUUM reading`)
		if err != nil { // the node is down by another fault
			pause(ctx, 100*time.Millisecond)
		}
	}
	return func(ctx context.Context) error {
		rows, err := r.reader.surely(ctx, `SELECT confl_snapshot + confl_lock + confl_bufferpin + confl_tablespace FROM pg_stat_database_conflicts WHERE datname = '`+database+`'`)
		if err != nil {
			return err
		}
		cancelled, err := strconv.Atoi(rows[0][0])
		for range cancelled {
			r.count("standby: statement cancelled by a conflict")
		}
		return err
	}, nil
}

// awaitReader waits until the standby has all that its primary has.
func (r *run) awaitReader(ctx context.Context) error {
	i, _ := r.has(conflictFault)
	rows, err := r.bed.nodes[i].surely(ctx, `SELECT pg_current_wal_lsn()`)
	for err == nil {
		var done [][]string
		if done, err = r.reader.surely(ctx, `SELECT pg_last_wal_replay_lsn() >= '`+rows[0][0]+`'`); err == nil && done[0][0] == "t" {
			return nil
		}
		pause(ctx, 50*time.Millisecond)
	}
	return err
}

// compareReading compares a table on a standby and two primaries, again and again. The
// rows stay as they are.
func (l *lane) compareReading(ctx context.Context) error {
	l.table.drift(ctx, l.r, l.bed.nodes)
	s, err := l.table.readAll(ctx, l.bed.nodes)
	if err == nil {
		err = l.awaitReader(ctx)
	}
	l.begin()
	for err == nil && !l.over() {
		c, params := l.drawComparison()
		params["cluster_name"] = readingCluster
		_, err = l.compare(ctx, "table-diff", c, params, s)
	}
	if err != nil {
		return err
	}
	l.awaitHealed(ctx)
	if err := l.awaitReader(ctx); err != nil {
		return err
	}
	return l.finish(ctx, s)
}
