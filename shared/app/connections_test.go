//go:build !unit

package app_test

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/output"
	"ace/infra/testkit/pgtest"
	"ace/shared/archive"
)

func TestTableDiff_ANodeThatRefusesConnectionsIsNamed(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY)`)
	listener := listen(t)
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	c.Nodes[1].Port = port
	start := time.Now()
	message := apptest.New(t, c, apptest.Options{Patience: time.Second}).Fail(t, "public.t")
	for _, want := range []string{`"n2"`, listener.Addr().String(), "unreachable", "refused"} {
		if !strings.Contains(message, want) {
			t.Errorf("the error is %q, want it to say %s", message, want)
		}
	}
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("it took %s, want less than the connect timeout of 10 s", took)
	}
}

func TestTableDiff_ANodeThatNeverAnswersFailsWithinTheConnectTimeout(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY)`)
	listener := listen(t)
	c.Nodes[0].Port = listener.Addr().(*net.TCPAddr).Port
	start := time.Now()
	message := apptest.New(t, c, apptest.Options{Patience: time.Nanosecond}).Fail(t, "public.t")
	for _, want := range []string{`"n1"`, listener.Addr().String(), "unreachable"} {
		if !strings.Contains(message, want) {
			t.Errorf("the error is %q, want it to say %s", message, want)
		}
	}
	if took := time.Since(start); took > 13*time.Second {
		t.Errorf("it took %s, want the connect timeout of 10 s", took)
	}
}

// listen opens a port that accepts connections and never responds.
func listen(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

func TestTableDiff_SecretsAppearNowhere(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)`)
	for _, test := range []struct {
		name   string
		change func(*pgtest.Cluster)
		want   string
	}{
		{"a wrong password", func(c *pgtest.Cluster) { c.Password = "wrong $3cret" }, "password authentication failed"},
		{"a missing role", func(c *pgtest.Cluster) { c.User, c.Password = "nobody_here", "wrong $3cret" }, "authentication failed"},
		{"a missing database", func(c *pgtest.Cluster) { c.DB = "no_such_database" }, "does not exist"},
		{"a port that is closed", func(c *pgtest.Cluster) { c.Nodes[1].Port = 1 }, "unreachable"},
		{"success", func(*pgtest.Cluster) {}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			other := *c
			other.Nodes = append([]pgtest.Node(nil), c.Nodes...)
			test.change(&other)
			var log output.Buffer
			s := apptest.New(t, &other, apptest.Options{Patience: time.Second, Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			status := s.Wait(t, s.Submit(t, "public.t"))
			if !strings.Contains(status.Error, test.want) || (status.Error == "") != (test.want == "") {
				t.Errorf("the error is %q, want %q", status.Error, test.want)
			}
			said := status.Error + log.String() + everything(t, s.Store)
			for _, secret := range []string{other.Password, "$3cret", "gtest secret", "password="} {
				if strings.Contains(said, secret) {
					t.Errorf("%q appears in what is logged, answered or stored", secret)
				}
			}
			if !strings.Contains(said, status.TaskID) {
				t.Error("neither log nor store speak of the task: this test looks at nothing")
			}
		})
	}
}

// everything returns all keys and objects of a store.
func everything(t *testing.T, store archive.Store) string {
	t.Helper()
	var keys []string
	if err := store.List(t.Context(), "", "", func(info archive.Info) bool {
		keys = append(keys, info.Key)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, key := range keys {
		object, err := store.Get(t.Context(), key)
		if errors.Is(err, archive.ErrNotFound) {
			continue // working files are deleted when a task has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(key)
		_, err = io.Copy(&all, object.Body)
		object.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}
