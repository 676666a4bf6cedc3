//go:build !unit

package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/archive/dirstore"
	"ace/shared/backup"
)

// restoredHome restores a backup into a new home, whose service is not started.
func restoredHome(t testing.TB, c *pgtest.Cluster, file string) (h home, output string) {
	t.Helper()
	h = newHome(t, c)
	code, output := runLong(t, h.dir, nil, "restore", file, h.data())
	if code != 0 {
		t.Fatalf("restore ended with %d: %s", code, output)
	}
	return h, output
}

// runLong is run for a command that may take long.
func runLong(t testing.TB, dir string, env settings, args ...string) (code int, output string) {
	t.Helper()
	p := start(t, dir, env, args...)
	return p.wait(t, taskTimeout), p.output.String()
}

// backUp writes a backup of the service's archive to a file.
func (s *service) backUp(t testing.TB, file string) {
	t.Helper()
	code, output := runLong(t, s.home.dir, settings{"ACE_SERVER": s.host}, "backup", file)
	if code != 0 || !strings.Contains(output, "all verified") {
		t.Fatalf("backup ended with %d: %s", code, output)
	}
}

// documents returns the content of every listed document, by its task.
func (s *service) documents(t testing.TB) map[string]string {
	t.Helper()
	var list api.DiffList
	s.read(t, "/ace/diffs", "limit=1000", &list)
	found := map[string]string{}
	for _, d := range list.Diffs {
		found[d.TaskID] = string(s.get(t, "/ace/diffs/"+d.TaskID, "").Body)
	}
	return found
}

func TestBackup_WhileTasksRunHasEveryFinishedTaskAndDocument(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	customers(t, c, 5000)
	h := newHome(t, c)
	s := h.serve(t, settings{"ACE_RETENTION_DAYS": "1"})
	makeDrift(t, c, 5000, 20)
	before := s.submit(t, c, "public.customers")
	s.completed(t, before)

	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { // comparisons, repairs and undos, one after the other
		for ctx.Err() == nil {
			id := s.submit(t, c, "public.customers", "block_rows", "1000", "batch_size", "1")
			s.completed(t, id)
			var repair, undo api.Submitted
			s.read(t, "/ace/table-repair", url.Values{"cluster_name": {c.Name}, "table_name": {"public.customers"}, "diff_file": {id}, "source_of_truth": {"n1"}}.Encode(), &repair)
			s.end(t, repair.TaskID)
			s.read(t, "/ace/table-undo", url.Values{"task_id": {repair.TaskID}}.Encode(), &undo)
			s.end(t, undo.TaskID)
		}
	})

	var files []string
	ended := []map[string]string{}
	for _, name := range []string{"1.tar", "2.tar", "3.tar"} {
		ended = append(ended, s.documents(t))
		s.backUp(t, name)
		files = append(files, filepath.Join(h.dir, name))
	}
	stop()
	working.Wait()
	info, err := os.Stat(files[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup has %v, %v", info.Mode(), err)
	}

	now := s.documents(t)
	for i, file := range files {
		if code, output := runLong(t, h.dir, nil, "backup", "verify", file); code != 0 {
			t.Errorf("verify ended with %d: %s", code, output)
		}
		restored, output := restoredHome(t, c, file)
		checkSums(t, restored)
		checkRestored(t, restored.serve(t, nil), output, ended[i], now)
	}
}

// checkRestored checks that a restored service has the documents from before the backup,
// and that all its documents are those of the original. Tasks that output, which ace
// restore printed, names as unfinished are resumed, so their documents may be others.
func checkRestored(t *testing.T, s *service, output string, before, now map[string]string) {
	t.Helper()
	isResumed := func(id string) bool { return strings.Contains(output, id) }
	got := s.documents(t)
	for id, content := range before {
		if got[id] != content && !isResumed(id) {
			t.Errorf("the document of %s has %d bytes, want %d", id, len(got[id]), len(content))
		}
	}
	for id := range got {
		if want, known := now[id]; known && got[id] != want && !isResumed(id) {
			t.Errorf("the document of %s is another one", id)
		}
		if status := s.end(t, id); status.Status != api.StatusCompleted {
			t.Errorf("%s is %s", id, status.Status)
		}
	}
	s.kill()
}

// checkSums verifies every object of an archive that no process uses.
func checkSums(t *testing.T, h home) {
	t.Helper()
	store, err := dirstore.Open(t.Context(), dirstore.Options{Dir: h.data()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	count := 0
	err = store.List(t.Context(), "", "", func(info archive.Info) bool {
		count++
		object, err := store.Get(t.Context(), info.Key)
		if err == nil {
			_, err = io.Copy(io.Discard, object.Body)
			object.Body.Close()
		}
		if err != nil {
			t.Errorf("%s: %v", info.Key, err)
		}
		return true
	})
	if err != nil || count == 0 {
		t.Errorf("%d objects, %v", count, err)
	}
}

// large writes an archive with an object that does not fit into the buffers of a
// connection.
func large(t *testing.T, h home, size int) {
	t.Helper()
	store, err := dirstore.Open(t.Context(), dirstore.Options{Dir: h.data()})
	if err != nil {
		t.Fatal(err)
	}
	w, err := store.Create(t.Context(), "imports/large.json", "application/json")
	if err != nil {
		t.Fatal(err)
	}
	for range size >> 20 {
		if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// begin begins a backup and reads its first bytes.
func (s *service) begin(t *testing.T) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.host+"/ace/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(response.Body, make([]byte, 1024)); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the backup does not begin: %d, %v", response.StatusCode, err)
	}
	return response
}

// preserved returns how many files tmp/ has.
func (h home) preserved(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(h.data(), "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestBackup_ThatEndsEarlyLeavesNothing(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	h := newHome(t, c)
	large(t, h, 64<<20)
	s := h.serve(t, nil)

	first := s.begin(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.host+"/ace/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if response.StatusCode != http.StatusConflict || !strings.Contains(string(text), "another backup of the archive is in progress") {
		t.Errorf("a second backup: %d %s", response.StatusCode, text)
	}
	first.Body.Close()
	eventually(t, taskTimeout, "another backup can begin", func() bool {
		code, _ := runLong(t, h.dir, settings{"ACE_SERVER": s.host}, "backup", filepath.Join(t.TempDir(), "x.tar"))
		return code == 0
	})
	if n := h.preserved(t); n > 0 {
		t.Errorf("tmp/ has %d files", n)
	}

	// kill -9 of the service during a backup.
	last := s.begin(t)
	s.kill()
	rest, err := io.ReadAll(last.Body)
	last.Body.Close()
	if _, verr := backup.Read(bytes.NewReader(rest), func(backup.Object) error { return nil }); err == nil || verr == nil {
		t.Errorf("the client of a killed service sees the end of the response: %v, %v", err, verr)
	}
	h.serve(t, nil)
	if n := h.preserved(t); n > 0 {
		t.Errorf("tmp/ has %d files after the start", n)
	}
}

// heldBody is the body of a response that ends only after release was closed.
type heldBody struct {
	io.ReadCloser
	release <-chan struct{}
}

func (b heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		<-b.release
	}
	return n, err
}

func TestBackup_ASecondCommandDoesNotDisturbTheFirst(t *testing.T) {
	t.Parallel()
	h := newHome(t, pgtest.NewCluster(t))
	s := h.serve(t, nil)
	begun, release := make(chan struct{}), make(chan struct{})
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { p.Out.URL.Scheme, p.Out.URL.Host = "http", s.host },
		ModifyResponse: func(r *http.Response) error {
			r.Body = heldBody{r.Body, release}
			close(begun)
			return nil
		},
	})
	defer proxy.Close()
	free := sync.OnceFunc(func() { close(release) })
	defer free()

	file := filepath.Join(h.dir, "x.tar")
	first := start(t, h.dir, settings{"ACE_SERVER": proxy.URL}, "backup", file)
	<-begun
	code, output := runLong(t, h.dir, settings{"ACE_SERVER": s.host}, "backup", file)
	if code != 2 || !strings.Contains(output, "another ace backup is writing") {
		t.Errorf("the second command ended with %d: %s", code, output)
	}
	free()
	if code := first.wait(t, taskTimeout); code != 0 {
		t.Errorf("the first command ended with %d: %s", code, first.output.String())
	}
	if code, output := runLong(t, h.dir, nil, "backup", "verify", file); code != 0 {
		t.Errorf("verify ended with %d: %s", code, output)
	}
	if exists(t, file+".part") {
		t.Error("the partial file remains")
	}

	// What a killed command has left is replaced.
	killed := filepath.Join(h.dir, "killed.tar")
	try(t, os.WriteFile(killed+".part", []byte("half"), 0o644))
	s.backUp(t, killed)
	if info, err := os.Stat(killed); err != nil || info.Mode().Perm() != 0o600 || exists(t, killed+".part") {
		t.Errorf("after a killed command: %v, %v", info, err)
	}
}

func TestBackup_UsesLittleMemory(t *testing.T) {
	t.Parallel()
	h := newHome(t, pgtest.NewCluster(t))
	const size = 256 << 20
	large(t, h, size)
	s := h.serve(t, nil)
	s.backUp(t, "x.tar")
	peak := s.peakMemory(t)
	t.Logf("peak memory of the service: %d MB, the archive has %d MB", peak>>20, size>>20)
	if peak > memoryLimit {
		t.Errorf("the service has used %d MB", peak>>20)
	}
}

func TestBackup_OfADamagedOrIncompleteFileIsRefused(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	h := newHome(t, c)
	s := h.serve(t, nil)
	s.completed(t, s.submit(t, c, "public.tiny"))
	file := filepath.Join(h.dir, "x.tar")
	s.backUp(t, file)
	if code, output := runLong(t, h.dir, settings{"ACE_SERVER": s.host}, "backup", file); code != 2 || !strings.Contains(output, "exists already") {
		t.Errorf("to an existing file: %d %s", code, output)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(content, []byte(`"task_id"`))
	damaged := bytes.Clone(content)
	damaged[at+1] = 'T'
	for _, tt := range []struct {
		name, says string
		content    []byte
	}{
		{"damaged.tar", "does not have its SHA-256", damaged},
		{"half.tar", "not complete: it ends at", content[:len(content)/2]},
		{"noend.tar", "not complete", content[:len(content)-1024]},
	} {
		path := filepath.Join(h.dir, tt.name)
		if err := os.WriteFile(path, tt.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, output := runLong(t, h.dir, nil, "backup", "verify", path); code != 2 || !strings.Contains(output, tt.says) {
			t.Errorf("verify %s: %d %s", tt.name, code, output)
		}
		if code, output := runLong(t, h.dir, nil, "restore", path, filepath.Join(h.dir, "new")); code != 2 || !strings.Contains(output, tt.says) || exists(t, filepath.Join(h.dir, "new")) {
			t.Errorf("restore %s: %d %s", tt.name, code, output)
		}
	}
	if code, output := runLong(t, h.dir, nil, "restore", file, h.data()); code != 2 || !strings.Contains(output, "is not empty") {
		t.Errorf("restore into the archive: %d %s", code, output)
	}
}

func TestBackup_CanBeExtractedByTar(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	h := newHome(t, c)
	s := h.serve(t, nil)
	id := s.submit(t, c, "public.tiny")
	s.completed(t, id)
	restored := newHome(t, c)
	if err := os.Mkdir(restored.data(), 0o700); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "sh", "-c", `"$0" backup - | tar -x -C "$1"`, binary, restored.data())
	command.Env = append(os.Environ(), "ACE_SERVER="+s.host)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got := restored.serve(t, nil).documents(t); len(got) != 1 || got[id] == "" {
		t.Errorf("restored are %v", got)
	}
}

func TestBackup_NeedsRightsForTheWholeArchive(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	h := newHome(t, c)
	k := &tokens{filepath.Join(h.dir, "callers.yaml"), map[string]string{}}
	k.write(t, rights("reader", "*", "read"), rights("fixer", "*", "repair"), rights("local", c.Name, api.Rights()...), rights("dba", "*", api.Rights()...))
	s := h.serve(t, settings{"ACE_CALLERS": "callers.yaml"})
	for _, tt := range []struct {
		caller string
		status int
		says   string
	}{
		{"reader", 403, "does not have the right repair"}, {"fixer", 403, "does not have the right read"},
		{"local", 403, "may not use all clusters"}, {"dba", 200, backup.ManifestFile},
	} {
		if status, body := k.call(t, s, tt.caller, "/ace/backup"); status != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %d %.200q", tt.caller, status, body)
		}
	}
	_, body := k.call(t, s, "dba", "/ace/audit")
	var list api.AuditList
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	var outcomes []string
	for _, e := range list.Entries {
		if e.Action == "backup" {
			outcomes = append(outcomes, e.RequestedBy.Caller+" "+e.Outcome)
		}
	}
	if slices.Sort(outcomes); strings.Join(outcomes, ", ") != "dba accepted, fixer refused, local refused, reader refused" {
		t.Errorf("the audit log has %v", outcomes)
	}
}

func TestRestore_NamesTheTasksThatResume(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	h := newHome(t, c)
	s := h.serve(t, nil)
	release := hold(t, c, "tiny")
	id := s.submit(t, c, "public.tiny")
	s.backUp(t, "x.tar")
	s.kill()
	release()
	restored, output := restoredHome(t, c, filepath.Join(h.dir, "x.tar"))
	if !strings.Contains(output, "1 tasks had not ended") || !strings.Contains(output, id) {
		t.Errorf("restore printed %s", output)
	}
	if result := restored.serve(t, nil).completed(t, id); result.TotalRows != 10 {
		t.Errorf("the resumed task found %+v", result)
	}
}

func TestRestore_ShowsCharactersThatControlATerminalAsEscapes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := backup.NewWriter(&out, backup.Owner{}, time.Now(), "v1")
	try(t, w.Add(backup.Object{Path: "open/tr_%1b%5d0%3bforged%07%0anext", Content: strings.NewReader("")}))
	_, err := w.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "x.tar")
	try(t, err, os.WriteFile(file, out.Bytes(), 0o600))
	_, output := runLong(t, dir, nil, "restore", file, filepath.Join(dir, "new"))
	if !strings.Contains(output, `tr_\x1b]0;forged\a\nnext`) || strings.ContainsAny(output, "\x1b\a") {
		t.Errorf("restore printed %q", output)
	}
}
