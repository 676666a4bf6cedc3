//go:build !unit

package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/directory"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/archive/dirstore"
	"ace/shared/difffile"
	"ace/shared/endpoint"
	"ace/shared/task"
)

// taskTimeout bounds one task.
const taskTimeout = 90 * time.Second

// home is a working directory of `ace serve`, with the definitions in clusters/ and the
// archive in ace-data/. Both are the default paths.
type home struct {
	dir      string
	password string // the password of the databases
}

// newHome returns a home with the definition of a cluster. When the test ends, the files
// in the home are searched: none may show the password.
func newHome(t testing.TB, c *pgtest.Cluster) home {
	t.Helper()
	h := home{dir: t.TempDir(), password: c.Password}
	if err := os.Mkdir(h.clusters(), 0o700); err != nil {
		t.Fatal(err)
	}
	c.WriteDefinition(t, h.clusters())
	t.Cleanup(func() { checkFiles(t, h.data(), h.password) })
	return h
}

func (h home) clusters() string { return filepath.Join(h.dir, "clusters") }
func (h home) data() string     { return filepath.Join(h.dir, "ace-data") }

// object returns the path of the file that holds an object in the archive. The key must
// have only lower-case letters, digits and signs.
func (h home) object(key string) string { return filepath.Join(h.data(), "files", key) }

// define writes another cluster definition.
func (h home) define(t testing.TB, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.clusters(), name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// service is a running `ace serve` and a client of it.
type service struct {
	*process
	home   home
	client *http.Client
	host   string // the host and port in the URL
}

// serve runs the service on a free port and waits until it answers.
func (h home) serve(t testing.TB, env settings) *service {
	t.Helper()
	all := settings{"ACE_LISTEN": "127.0.0.1:0", "ACE_LOG_FORMAT": "json"}
	maps.Copy(all, env)
	s := &service{process: start(t, h.dir, all, "serve"), home: h}
	address := s.logged(t, "serving", "address")
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	s.host = address
	if strings.HasPrefix(all["ACE_LISTEN"], "unix:") {
		s.host = "localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", address)
		}
	}
	s.client = &http.Client{Transport: transport, Timeout: time.Minute}
	t.Cleanup(func() {
		s.kill()
		transport.CloseIdleConnections()
		checkSecret(t, "the log", s.output.String(), h.password)
	})
	return s
}

// store opens a copy of the service's archive as it is now.
func (s *service) store(t testing.TB) *dirstore.Store {
	t.Helper()
	return directory.Copy(t, s.home.data())
}

// keys lists the objects in the directory of the archive, which the service may be using,
// below a prefix that ends with "/".
func (h home) keys(t testing.TB, prefix string) (found []string) {
	t.Helper()
	root := filepath.Join(h.data(), "files")
	err := filepath.WalkDir(filepath.Join(root, prefix), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			path, err = filepath.Rel(root, path)
			found = append(found, path)
		}
		if errors.Is(err, fs.ErrNotExist) { // it was deleted meanwhile
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// do sends a request. It checks that the answer does not show the password, is not
// cached, and is JSON unless it is a file.
func (s *service) do(t testing.TB, req endpoint.Request) endpoint.Response {
	t.Helper()
	target := url.URL{Scheme: "http", Host: s.host, Path: req.Path, RawQuery: req.RawQuery}
	r, err := http.NewRequestWithContext(context.Background(), req.Method, target.String(), bytes.NewReader(req.Body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL = &target
	for name, value := range req.Header {
		r.Header.Set(name, value)
	}
	if host := req.Header["host"]; host != "" {
		r.Host = host
	}
	raw, err := s.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.Path, err)
	}
	defer raw.Body.Close()
	resp := endpoint.Response{Status: raw.StatusCode, Header: map[string]string{}}
	if resp.Body, err = io.ReadAll(raw.Body); err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.Path, err)
	}
	for name, values := range raw.Header {
		resp.Header[name] = strings.Join(values, ", ")
	}
	checkSecret(t, "the answer to "+req.Path, string(resp.Body), s.home.password)
	if got := resp.Header["Cache-Control"]; got != "no-store" {
		t.Errorf("%s %s: Cache-Control is %q, want no-store", req.Method, req.Path, got)
	}
	return resp
}

// get sends a GET.
func (s *service) get(t testing.TB, path, rawQuery string) endpoint.Response {
	t.Helper()
	return s.do(t, endpoint.Request{Method: "GET", Path: path, RawQuery: rawQuery})
}

// read sends a GET that must succeed and decodes the answer.
func (s *service) read(t testing.TB, path, rawQuery string, into any) {
	t.Helper()
	resp := s.get(t, path, rawQuery)
	if resp.Status != 200 {
		t.Fatalf("GET %s?%s: %d %s", path, rawQuery, resp.Status, resp.Body)
	}
	if err := json.Unmarshal(resp.Body, into); err != nil {
		t.Fatalf("GET %s: %v in %s", path, err, resp.Body)
	}
}

// diffQuery is the query of a table-diff; args are name, value, name, value.
func diffQuery(c *pgtest.Cluster, table string, args ...string) string {
	query := url.Values{"cluster_name": {c.Name}, "table_name": {table}, "confirm_delay": {"0"}}
	for i := 0; i+1 < len(args); i += 2 {
		query.Set(args[i], args[i+1])
	}
	return query.Encode()
}

// submit starts a table-diff and returns its task id.
func (s *service) submit(t testing.TB, c *pgtest.Cluster, table string, args ...string) string {
	t.Helper()
	var submitted api.Submitted
	s.read(t, "/ace/table-diff", diffQuery(c, table, args...), &submitted)
	return submitted.TaskID
}

func (s *service) status(t testing.TB, id string) api.TaskStatus {
	t.Helper()
	var status api.TaskStatus
	s.read(t, "/ace/task-status/"+id, "", &status)
	return status
}

// end waits until a task has ended.
func (s *service) end(t testing.TB, id string) api.TaskStatus {
	t.Helper()
	var status api.TaskStatus
	eventually(t, taskTimeout, "task "+id+" ends", func() bool {
		status = s.status(t, id)
		return task.Status(status.Status).Terminal()
	})
	return status
}

// completed waits for a task that must complete and returns its result.
func (s *service) completed(t testing.TB, id string) api.DiffResult {
	t.Helper()
	status := s.end(t, id)
	if status.Status != api.StatusCompleted {
		t.Fatalf("task %s ended %s: %s", id, status.Status, status.Error)
	}
	var result api.DiffResult
	if err := json.Unmarshal(status.Result, &result); err != nil {
		t.Fatalf("result of %s: %v", id, err)
	}
	return result
}

// found downloads the document of a task and returns, for each node, the keys (of
// one column) that it lists.
func (s *service) found(t testing.TB, id, column string) map[string][]string {
	t.Helper()
	reader, err := difffile.Open(bytes.NewReader(s.get(t, "/ace/diffs/"+id, "").Body))
	if err != nil {
		t.Fatalf("document of %s: %v", id, err)
	}
	keys := map[string][]string{}
	for entry, err := range reader.Rows() {
		if err != nil {
			t.Fatalf("document of %s: %v", id, err)
		}
		for i, c := range entry.Columns {
			if c.Name == column && entry.Row[i] != nil {
				keys[entry.Node] = append(keys[entry.Node], *entry.Row[i])
			}
		}
	}
	return keys
}

// keys lists the objects below a prefix.
func keys(t testing.TB, store archive.Store, prefix string) []string {
	t.Helper()
	var found []string
	err := store.List(t.Context(), prefix, "", func(info archive.Info) bool {
		found = append(found, info.Key)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
