package gateway_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"ace/local/gateway"
	"ace/shared/archive"
	"ace/shared/archive/s3"
	"ace/shared/archive/storetest"
	"ace/shared/fault"
)

// TestMain does not count two goroutines of fasthttp: one renews the Date header of all
// servers for ever, one looks only every 10 s whether its server has been stopped.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

func start(t *testing.T, dir string) *gateway.Gateway {
	t.Helper()
	g, err := gateway.Start(t.Context(), gateway.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return g
}

func openStore(t *testing.T, g *gateway.Gateway) *s3.Store {
	t.Helper()
	opts := g.S3()
	opts.Prefix = rand.Text()
	store, err := s3.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func TestGateway_KeepsTheContractOfTheArchive(t *testing.T) {
	g := start(t, t.TempDir())
	storetest.Run(t, func(t *testing.T) archive.Store { return openStore(t, g) })
	t.Run("the probe accepts it", func(t *testing.T) {
		if err := archive.Probe(t.Context(), openStore(t, g)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestGateway_KeepsObjectsAndCredentialsOverARestart(t *testing.T) {
	dir := t.TempDir()
	g := start(t, dir)
	before := g.S3()
	put(t, before, "kept", "content")
	if err := g.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	closed := g // closing it once more must not disturb its successor
	g = start(t, dir)
	if g.AccessKey() != before.AccessKey || g.SecretKey() != before.SecretKey {
		t.Error("a restart made new credentials")
	}
	if err := closed.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := get(t, g.S3(), "kept"); got != "content" {
		t.Errorf("read %q after a restart", got)
	}
}

func put(t *testing.T, opts s3.Options, key, body string) {
	t.Helper()
	store, err := s3.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Put(t.Context(), key, "", []byte(body)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, opts s3.Options, key string) string {
	t.Helper()
	store, err := s3.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	obj, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Body.Close()
	body, err := io.ReadAll(obj.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestGateway_IsClosedToOtherUsers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	if err := os.MkdirAll(dir, 0o755); err != nil { // an existing directory is closed too
		t.Fatal(err)
	}
	g := start(t, dir)
	put(t, g.S3(), "tasks/a", "row data")
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		// The backend's own lock files hold nothing, and lie in directories that only we may
		// enter.
		if info.Mode().Perm()&0o077 != 0 && !strings.Contains(path, ".vgwlocks") {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(g.Endpoint(), "http://127.0.0.1:") {
		t.Errorf("the gateway listens on %s, not on loopback", g.Endpoint())
	}

	stranger := g.S3()
	stranger.SecretKey = "guessed"
	if _, err := s3.Open(t.Context(), stranger); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("a wrong key gave %v, want Unavailable", err)
	}
}

func TestGateway_RefusesADirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	start(t, dir)
	_, err := gateway.Start(t.Context(), gateway.Options{Dir: dir})
	if fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.PublicMessage(err), dir) ||
		!strings.Contains(fault.PublicMessage(err), "another ace serve") {
		t.Errorf("got %v, want Conflict naming %s", err, dir)
	}
}

func TestGateway_IsAloneInItsProcess(t *testing.T) {
	g := start(t, t.TempDir())
	_, err := gateway.Start(t.Context(), gateway.Options{Dir: t.TempDir()})
	if fault.CodeOf(err) != fault.Conflict {
		t.Errorf("got %v, want Conflict", err)
	}
	put(t, g.S3(), "a", "the first one still works")
}

func TestGateway_RestoresTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, "relative-data")
	put(t, g.S3(), "a", "1")
	if err := g.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Getwd(); err != nil || after != before {
		t.Errorf("the working directory is %s, %v; before it was %s", after, err, before)
	}
	if _, err := os.Stat(filepath.Join(before, "relative-data", "credentials.json")); err != nil {
		t.Error(err)
	}
}

func TestGateway_RefusesWhatItCannotUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(damaged, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "credentials.json"), []byte(`{"access_key":"only"`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ dir, named string }{
		"no directory":        {"", `""`},
		"a file":              {file, file},
		"below a file":        {filepath.Join(file, "data"), file},
		"damaged credentials": {damaged, "credentials.json"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gateway.Start(t.Context(), gateway.Options{Dir: tt.dir})
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.named) {
				t.Errorf("got %v, want Invalid naming %s", err, tt.named)
			}
		})
	}
	start(t, t.TempDir()) // none of the failures is in the way
}

func TestGateway_ListsNoHalfReplacedObject(t *testing.T) {
	dir := t.TempDir()
	g := start(t, dir)
	put(t, g.S3(), "tasks/t/task.json", "1")
	// What the backend leaves behind when the process ends while it replaces the object.
	orphan := filepath.Join(dir, "objects", g.Bucket(), "tasks/t", ".task.json.sgwtmp.1710506096000000000")
	if err := os.WriteFile(orphan, []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := s3.Open(t.Context(), g.S3())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var keys []string
	err = store.List(t.Context(), "", "", func(info archive.Info) bool {
		keys = append(keys, info.Key)
		return true
	})
	if err != nil || len(keys) != 1 || keys[0] != "tasks/t/task.json" {
		t.Errorf("listed %q, %v", keys, err)
	}
}

func TestGateway_PrintsNothingAndLogsNoSecret(t *testing.T) {
	var log bytes.Buffer
	var g *gateway.Gateway
	printed := capture(t, func() {
		var err error
		g, err = gateway.Start(t.Context(), gateway.Options{Dir: t.TempDir(), Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		put(t, g.S3(), "a", "1")
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if printed != "" {
		t.Errorf("the gateway printed %q", printed)
	}
	if !strings.Contains(log.String(), g.Endpoint()) || strings.Contains(log.String(), g.SecretKey()) {
		t.Errorf("the log should name the endpoint and not the key:\n%s", &log)
	}
}

// capture returns what fn prints to stdout and stderr.
func capture(t *testing.T, fn func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(&printed, r) })
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = w, w
	func() {
		defer func() { os.Stdout, os.Stderr = stdout, stderr }()
		fn()
	}()
	w.Close()
	wg.Wait()
	r.Close()
	return printed.String()
}

func TestGateway_StartEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := gateway.Start(ctx, gateway.Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if fault.CodeOf(err) != fault.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want Unavailable because of the context", err)
	}
}
