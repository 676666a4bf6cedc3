//go:build !unit

package pg

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/fault"
	"ace/shared/table"
)

// enableTLS makes the first node of a cluster accept encrypted connections.
func enableTLS(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}

	dir := c.QueryStrings(t, 0, "SHOW data_directory")[0][0]
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	owner, _ := info.Sys().(*syscall.Stat_t)
	for name, block := range map[string]*pem.Block{
		"server.crt": {Type: "CERTIFICATE", Bytes: certificate}, "server.key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	c.Exec(t, 0, "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
	for c.QueryStrings(t, 0, "SHOW ssl")[0][0] != "on" {
		time.Sleep(10 * time.Millisecond)
	}
}

// Case O-F3, see docs/RELIABILITY.md.
func TestSilence_IsNoticedThroughTLS(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Nodes(1))
	enableTLS(t, c)
	proxy := pgtest.NewProxy(t, c.Nodes[0])
	// run runs a statement on a new connection to a port, and returns how long it took. The
	// connection has a statement timeout, and the context ends after limit.
	run := func(port int, sql string, timeout, limit time.Duration, before func()) (time.Duration, error) {
		at := target(c, 0)
		at.Port = uint16(port)
		at.Options = map[string]string{"sslmode": "require"}
		pools := NewPools(Options{MaxConns: 1, StatementTimeout: timeout, AnswerMargin: 500 * time.Millisecond})
		defer pools.Close()
		n, err := pools.Node(at)
		if err != nil {
			t.Fatal(err)
		}
		tx, err := n.Begin(t.Context(), table.Access{SearchPath: "pg_catalog"})
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Close()

		before()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		encrypted := false
		err = tx.run(ctx, "testing", query{sql: sql},
			query{sql: "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", row: func(v [][]byte) error { encrypted = isTrue(v[0]); return nil }})
		if err == nil && !encrypted {
			t.Error("the connection is not encrypted")
		}
		return time.Since(began), err
	}

	direct := c.Nodes[0].Port
	if _, err := run(direct, "SELECT repeat('x', 1000000) FROM generate_series(1, 20)", time.Minute, time.Minute, func() {}); err != nil {
		t.Error(err)
	}
	if took, err := run(direct, "SELECT pg_sleep(50)", time.Minute, 300*time.Millisecond, func() {}); err == nil || took > busy {
		t.Errorf("a cancelled statement: %v after %s", err, took)
	}
	took, err := run(proxy.Port(), "SELECT 1", 2*time.Second, time.Minute, func() { proxy.SilenceAtMessage(0, pgtest.RequestLost) })
	if !strings.Contains(fault.PublicMessage(err), "is silent") || took > 3*time.Second+busy {
		t.Errorf("a silent server: %v after %s", err, took)
	}
}
