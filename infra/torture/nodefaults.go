package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/Shopify/toxiproxy/v2"
)

func noHeal(context.Context) error { return nil }

func killNode(_ context.Context, r *run, f fault) (func(context.Context) error, error) {
	n := r.bed.nodes[f.target]
	err := n.primary().Kill()
	return func(ctx context.Context) error { return n.primary().Restart(ctx) }, err
}

func restartNode(ctx context.Context, r *run, f fault) (func(context.Context) error, error) {
	return noHeal, r.bed.nodes[f.target].primary().Restart(ctx)
}

func freezeNode(_ context.Context, r *run, f fault) (func(context.Context) error, error) {
	server := r.bed.nodes[f.target].primary()
	return func(context.Context) error { return server.Thaw() }, server.Freeze()
}

// removal bounds the removal of toxics. Toxiproxy can hang if a toxic that has data is
// removed while the connection ends.
const removal = 20 * time.Second

// toxic injects the toxics that a function returns as JSON.
func toxic(of func(fault) []string) func(context.Context, *run, fault) (func(context.Context) error, error) {
	return func(_ context.Context, r *run, f fault) (func(context.Context) error, error) {
		proxy := r.bed.nodes[f.target].proxy
		var names []string
		heal := func(ctx context.Context) error {
			healed := make(chan struct{})
			go func() {
				defer close(healed)
				for _, name := range names {
					_ = proxy.Toxics.RemoveToxic(ctx, name) // it is removed in any case
				}
			}()
			select {
			case <-healed:
				return nil
			case <-time.After(removal):
				return errors.New("the proxy of the suite hangs; repeat the seed")
			}
		}
		for _, text := range of(f) {
			added, err := proxy.Toxics.AddToxicJson(strings.NewReader(text))
			if err != nil && strings.Contains(err.Error(), "exists") {
				continue // the same fault happens already
			}
			if err != nil {
				return heal, err
			}
			names = append(names, added.Name)
		}
		return heal, nil
	}
}

// toxicJSON returns a toxic with these attributes: names and numbers in turn.
func toxicJSON(kind, stream string, attributes ...any) string {
	values := map[string]any{}
	for i := 0; i < len(attributes); i += 2 {
		values[attributes[i].(string)] = attributes[i+1]
	}
	text, _ := json.Marshal(map[string]any{"type": kind, "stream": stream, "attributes": values})
	return string(text)
}

// cutRow cuts a connection in the middle of a row that the node sends.
func cutRow(_ context.Context, r *run, f fault) (func(context.Context) error, error) {
	remove := r.bed.nodes[f.target].gate.cutRow(f.size % 300)
	return func(context.Context) error { remove(); return nil }, nil
}

func refuseNode(_ context.Context, r *run, f fault) (func(context.Context) error, error) {
	proxy := r.bed.nodes[f.target].proxy
	proxy.Stop()
	return func(context.Context) error {
		if err := proxy.Start(); err != nil && !strings.Contains(err.Error(), toxiproxy.ErrProxyAlreadyStarted.Error()) {
			return err
		}
		return nil
	}, nil
}

// limitConnections allows the services no new connection.
func limitConnections(ctx context.Context, r *run, f fault) (func(context.Context) error, error) {
	n := r.bed.nodes[f.target]
	_, err := n.query(ctx, `ALTER ROLE `+aceRole+` CONNECTION LIMIT 0`)
	return func(ctx context.Context) error {
		_, err := n.surely(ctx, `ALTER ROLE `+aceRole+` CONNECTION LIMIT -1`)
		return err
	}, err
}

// signalSessions terminates or cancels what the services' sessions do, several times.
func signalSessions(function string) func(context.Context, *run, fault) (func(context.Context) error, error) {
	return func(ctx context.Context, r *run, f fault) (func(context.Context) error, error) {
		n := r.bed.nodes[f.target]
		for range 1 + f.size%4 {
			_, _ = n.query(ctx, `SELECT `+function+`(pid) FROM pg_stat_activity WHERE usename = '`+aceRole+`'`) // the node may be down
			pause(ctx, f.lasts/4)
		}
		return noHeal, nil
	}
}

// lockTables holds a lock on all tables that conflicts with every access.
func lockTables(ctx context.Context, r *run, f fault) (func(context.Context) error, error) {
	conn, err := r.bed.nodes[f.target].connect(ctx, database)
	if err != nil {
		return noHeal, nil //nolint:nilerr // the node is down by another fault
	}
	locked := make(chan struct{})
	go func() {
		defer close(locked)
		defer conn.Close(context.WithoutCancel(ctx))
		bounded, cancel := context.WithTimeout(ctx, f.lasts)
		defer cancel()
		_ = conn.PgConn().Exec(bounded, `SET lock_timeout = '3s'; BEGIN; LOCK TABLE still, fixed, ruled IN ACCESS EXCLUSIVE MODE`).Close()
		<-bounded.Done()
	}()
	return func(context.Context) error { <-locked; return nil }, nil
}

// fillNode fills the file system of the tablespace in which the tables are.
func fillNode(_ context.Context, r *run, f fault) (func(context.Context) error, error) {
	dir := r.tablespaces[f.target]
	if dir == "" {
		return noHeal, fmt.Errorf("node %d has no tablespace of its own", f.target+1)
	}
	return fill(dir, f.size/4)
}

// fill fills a file system except for a number of bytes.
func fill(dir string, leave int64) (func(context.Context) error, error) {
	path := filepath.Join(dir, "filler")
	heal := func(context.Context) error { return os.Remove(path) }
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return noHeal, err
	}
	defer file.Close()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return heal, err
	}
	block := make([]byte, 4096)
	for n := int64(fs.Bavail)*fs.Bsize - leave; n > 0; n -= int64(len(block)) {
		if _, err := file.Write(block); err != nil {
			break // it is full
		}
	}
	return heal, nil
}

// failOver kills the server while its standby has everything that was committed, promotes
// the standby, which the gate then connects to.
func failOver(ctx context.Context, r *run, f fault) (func(context.Context) error, error) {
	n := r.bed.nodes[f.target]
	if n.standby == nil {
		return noHeal, fmt.Errorf("%s has no standby", n.name)
	}
	if err := n.awaitStandby(ctx); err != nil {
		return noHeal, nil //nolint:nilerr // another fault prevents it: no failover would keep what was committed
	}
	old := n.primary()
	if err := old.Kill(); err != nil {
		return noHeal, err
	}
	pause(ctx, min(f.lasts, time.Second))
	n.mu.Lock()
	n.server, n.standby = n.standby, nil
	n.mu.Unlock()
	if _, err := n.queryIn(ctx, "postgres", `SELECT pg_promote()`); err != nil {
		return noHeal, err
	}
	return noHeal, old.Close()
}

// awaitStandby waits until the standby confirms each commit.
func (n *node) awaitStandby(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for {
		rows, err := n.queryIn(bounded, "postgres", `SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'`)
		if err == nil && rows[0][0] == "1" {
			return nil
		}
		if bounded.Err() != nil {
			return fmt.Errorf("the standby of %s is not synchronous: %w", n.name, bounded.Err())
		}
		pause(bounded, 50*time.Millisecond)
	}
}

// pause waits for a duration or until the context ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
