package dirstore_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ace/shared/archive"
	"ace/shared/archive/dirstore"
	"ace/shared/fault"
)

const documentType = "application/json"

func put(t *testing.T, s *dirstore.Store, key, content string) archive.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, documentType, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// get reads an object. The error is that of Get or of the body.
func get(t *testing.T, s *dirstore.Store, key string) (string, error) {
	t.Helper()
	object, err := s.Get(t.Context(), key)
	if err != nil {
		return "", err
	}
	defer object.Body.Close()
	content, err := io.ReadAll(object.Body)
	return string(content), err
}

func TestStore_WritesADocumentAsAFileThatAShellCanVerify(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := openStore(t, dir)
	const content = `{"format": "ace-diff/1"}`
	put(t, s, "diffs/2024-03-15/td_20240315_123456.json", content)
	put(t, s, `baselines/Größe "x"\%2F/.hidden/a`, "b")
	put(t, s, "open/"+strings.Repeat("表", 250), "")
	if got, err := os.ReadFile(filepath.Join(dir, "files/diffs/2024-03-15/td_20240315_123456.json")); err != nil || string(got) != content {
		t.Errorf("the file has %q, %v", got, err)
	}

	check := func() (string, error) {
		command := exec.CommandContext(t.Context(), "sh", "-c", "find sums -type f -exec cat {} + | sha256sum --check --strict")
		command.Dir = dir
		out, err := command.CombinedOutput()
		return string(out), err
	}
	if out, err := check(); err != nil || strings.Count(out, ": OK\n") != 3 {
		t.Errorf("%v\n%s", err, out)
	}
	damage(t, dir, "diffs/2024-03-15/td_20240315_123456.json")
	if out, err := check(); err == nil || !strings.Contains(out, "files/diffs/2024-03-15/td_20240315_123456.json: FAILED") {
		t.Errorf("of a damaged document: %v\n%s", err, out)
	}
}

// damage changes one byte in the middle of an object.
func damage(t *testing.T, dir, path string) {
	t.Helper()
	path = filepath.Join(dir, "files", path)
	content, err := os.ReadFile(path)
	if err == nil {
		content[len(content)/2] ^= 1
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestStore_NeverReturnsDamagedContentCompletely(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := openStore(t, dir)
	small := put(t, s, "small", "0123456789")
	large := put(t, s, "large", strings.Repeat("x", dirstore.VerifyAtOnce+1))
	put(t, s, "unsummed", "1")
	put(t, s, "cut", strings.Repeat("x", dirstore.VerifyAtOnce+2))
	damage(t, dir, "small")
	damage(t, dir, "large")
	if err := errors.Join(os.Remove(filepath.Join(dir, "sums/unsummed")), os.Truncate(filepath.Join(dir, "files/cut"), dirstore.VerifyAtOnce+1)); err != nil {
		t.Fatal(err)
	}

	for _, key := range []string{"small", "large", "unsummed", "cut"} {
		content, err := get(t, s, key)
		if fault.CodeOf(err) != fault.Internal || !strings.Contains(err.Error(), key+" in the archive (directory "+dir+") is damaged") {
			t.Errorf("%s: %v", key, err)
		}
		if len(content) > dirstore.VerifyAtOnce {
			t.Errorf("%s: all of it was returned", key)
		}
	}
	if _, err := s.GetRange(t.Context(), "small", small.ETag, 8, 1); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a range of a small object: %v", err)
	}
	object, err := s.GetRange(t.Context(), "large", large.ETag, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	if _, err := io.ReadAll(object.Body); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a range that is all of a large object: %v", err)
	}
	if objects := listed(t, s); len(objects) != 4 {
		t.Errorf("listed %q", objects)
	}
	put(t, s, "unsummed", "2") // a new version is undamaged
	if content, err := get(t, s, "unsummed"); content != "2" || err != nil {
		t.Errorf("after a replacement: %q, %v", content, err)
	}
}

func listed(t *testing.T, s *dirstore.Store) (keys []string) {
	t.Helper()
	err := s.List(t.Context(), "", "", func(info archive.Info) bool {
		keys = append(keys, info.Key)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestOpen_NamesTheProcessThatUsesTheDirectory(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	first := openStore(t, dir)
	_, err := dirstore.Open(t.Context(), dirstore.Options{Dir: dir})
	want := "the data directory " + dir + " is in use: another ace serve is running on it (process "
	if fault.CodeOf(err) != fault.Conflict || !strings.HasPrefix(fault.PublicMessage(err), want) {
		t.Errorf("got %v, want Conflict: %s", err, want)
	}
	put(t, first, "a", "the first one still works")
}

func TestOpen_RefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(tempDir(t), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(tempDir(t), "data")
	if err := errors.Join(os.Mkdir(damaged, 0o700), os.Mkdir(filepath.Join(damaged, "journal"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"00000001.log", "00000002.log"} {
		if err := os.WriteFile(filepath.Join(damaged, "journal", name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		dir, named string
		code       fault.Code
	}{
		"no directory":      {"", `""`, fault.Invalid},
		"a file":            {file, file, fault.Invalid},
		"below a file":      {filepath.Join(file, "data"), file, fault.Invalid},
		"a damaged journal": {damaged, "00000001.log has no record at byte 0", fault.Internal},
	} {
		_, err := dirstore.Open(t.Context(), dirstore.Options{Dir: tt.dir})
		if fault.CodeOf(err) != tt.code || !strings.Contains(fault.PublicMessage(err), tt.named) {
			t.Errorf("%s: got %v, want %s naming %s", name, err, tt.code, tt.named)
		}
	}
}

func TestOpen_ClosesTheDirectoryToOthersAndLeavesNoTemporaryFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(tempDir(t), "new", "data")
	s := openStore(t, dir)
	put(t, s, "tasks/a", "row data")
	w, err := s.Create(t.Context(), "aborted", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("tmp/ has %v, %v", left, err)
	}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStore_RemovesDirectoriesThatBecomeEmpty(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := openStore(t, dir)
	put(t, s, "tasks/1/parts/a", "1")
	put(t, s, "tasks/1/task.json", "1")
	for _, key := range []string{"tasks/1/parts/a", "tasks/1/task.json"} {
		if err := s.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	for _, tree := range []string{"files", "sums"} {
		if left, err := os.ReadDir(filepath.Join(dir, tree)); err != nil || len(left) > 0 {
			t.Errorf("%s/ has %v, %v", tree, left, err)
		}
	}
}

func TestStore_AcceptsNoMoreWritesAfterTheJournalFailed(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s, err := dirstore.Open(t.Context(), dirstore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "1")
	if err := s.Writable(); err != nil {
		t.Error(err)
	}
	s.BreakJournal()
	for range 2 {
		if _, err := s.PutIfAbsent(t.Context(), "b", "", []byte("2")); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("got %v, want Unavailable", err)
		}
	}
	if err := s.Delete(t.Context(), "a"); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.PublicMessage(err), "restart the service") {
		t.Errorf("got %v, want Unavailable", err)
	}
	if err := s.Writable(); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.PublicMessage(err), "accepts no more writes") {
		t.Errorf("got %v, want Unavailable", err)
	}
	if content, err := get(t, s, "a"); content != "1" || err != nil {
		t.Errorf("read %q, %v", content, err)
	}
	_ = s.Close()
	s = openStore(t, dir)
	if keys := listed(t, s); len(keys) != 1 || keys[0] != "a" {
		t.Errorf("after a restart there is %q", keys)
	}
	put(t, s, "b", "2")
}

// limitedDir is the variable of the child process of the next test.
const limitedDir = "ACE_TEST_LIMITED_DIR"

// TestLimitedChild fills a directory whose files cannot be larger than 4 kB. It is the
// child process of the next test, because the limit is one of the process.
func TestLimitedChild(t *testing.T) {
	dir := os.Getenv(limitedDir)
	if dir == "" {
		return // not a child process
	}
	s, err := dirstore.OpenWith(t.Context(), dirstore.Options{Dir: dir}, 1<<20, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4 << 10, Max: 4 << 10}); err != nil {
		t.Fatal(err)
	}
	isRefused := func(what string, err error) {
		t.Helper()
		if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.PublicMessage(err), "failed to write "+what) {
			t.Errorf("%s: got %v, want Unavailable", what, err)
		}
	}

	// The content does not fit into a file.
	_, err = s.Put(t.Context(), "large", "", make([]byte, 5<<10))
	isRefused("large", err)

	// The journal is full after three of these, in the middle of a record.
	block := bytes.Repeat([]byte("x"), dirstore.Inline)
	for _, key := range []string{"1", "2", "3"} {
		put(t, s, key, string(block))
	}
	_, err = s.Put(t.Context(), "4", "", block)
	isRefused("4", err)
	put(t, s, "5", "a small one still fits")
	if _, err := get(t, s, "4"); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("4: got %v, want ErrNotFound", err)
	}
	os.Exit(0) // without a checkpoint, so that the next start reads the journal
}

func TestStore_AFullDiskDamagesNothing(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLimitedChild$", "-test.v")
	child.Env = append(os.Environ(), limitedDir+"="+dir)
	if out, err := child.CombinedOutput(); err != nil || strings.Contains(string(out), "FAIL") {
		t.Fatalf("%v\n%s", err, out)
	}
	s := openStore(t, dir)
	if keys := listed(t, s); strings.Join(keys, " ") != "1 2 3 5" {
		t.Errorf("after a restart there are %q", keys)
	}
}

func TestStore_CheckpointsWhenTheJournalIsLarge(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s, err := dirstore.OpenWith(t.Context(), dirstore.Options{Dir: dir}, 2<<10, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		put(t, s, "a", strings.Repeat("x", 500))
	}
	// Writes continue during a checkpoint, so the journal can be large again when it ends.
	// The next write then starts another one.
	s.AwaitCheckpoint()
	put(t, s, "a", strings.Repeat("x", 500))
	s.AwaitCheckpoint()

	var size int64
	logs, err := filepath.Glob(filepath.Join(dir, "journal", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		info, err := os.Stat(log)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 2<<10 {
		t.Errorf("the journal has %d bytes after 51 writes of 500 bytes, want at most %d", size, 2<<10)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "journal")); err != nil || len(left) > 0 {
		t.Errorf("after Close, journal/ has %v, %v", left, err)
	}
}

func TestStore_RefusesKeysThatItCannotStore(t *testing.T) {
	t.Parallel()
	s := openStore(t, tempDir(t))
	for _, key := range []string{"", "a\x00b", "\xff", strings.Repeat("x", 1025)} {
		if _, err := s.Put(t.Context(), key, "", nil); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("Put(%.20q) returns %v, want Invalid", key, err)
		}
	}
	for _, contentType := range []string{"a\nb", strings.Repeat("x", 1025)} { // a longer record could not be read again
		if _, err := s.Put(t.Context(), "a", contentType, nil); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("Put with type %.20q returns %v, want Invalid", contentType, err)
		}
	}
	put(t, s, "a/b", "1")
	put(t, s, "c", "1")
	for _, key := range []string{"a", "c/d"} {
		if _, err := s.Put(t.Context(), key, "", nil); err == nil || errors.Is(err, archive.ErrPrecondition) {
			t.Errorf("Put(%q) returns %v, want an error", key, err)
		}
	}
	put(t, s, "a/b", "the store can still be used")
}

func TestPaths_AreDistinctHarmlessAndReversible(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		segments := rapid.SliceOfN(rapid.OneOf(
			rapid.StringN(0, 60, 400), rapid.SampledFrom([]string{"", ".", "..", "A", "a", "%41", "%", "%_", "CON", strings.Repeat("Z", 300)}),
		), 1, 4).Draw(t, "segments")
		key := strings.Join(segments, "/")
		path, err := dirstore.PathOf(key)
		if key == "" || len(key) > 1024 || strings.ContainsRune(key, 0) {
			if err == nil {
				t.Fatalf("%q has the path %q", key, path)
			}
			return
		}
		if err != nil || !filepath.IsLocal(path) || filepath.Clean(path) != path || strings.ToLower(path) != path {
			t.Fatalf("%q has the path %q, %v", key, path, err)
		}

		var back []string
		name := ""
		for component := range strings.SplitSeq(path, "/") {
			if len(component) > 255 || strings.HasPrefix(component, ".") {
				t.Fatalf("%q has a component %q", key, component)
			}
			piece, isContinued := strings.CutSuffix(component, "%")
			if name += piece; isContinued {
				continue
			}
			segment, ok := dirstore.Unescape(name)
			if !ok {
				t.Fatalf("%q has a component %q", key, name)
			}
			back, name = append(back, segment), ""
		}
		if strings.Join(back, "/") != key {
			t.Fatalf("%q has the path %q of %q", key, path, back)
		}
	})
}

func TestStore_ListsLongAndUnusualKeysInTheOrderOfBytes(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := openStore(t, dir)
	long := strings.Repeat("x", 250)
	want := []string{
		"/", "/a", "A/B", "A0", "a//b", "a/b", "k/" + long, "k/" + long + "!", "k/" + long + "-/a", "k/" + long + "-/b/c", "k/" + long + "0", "z/",
	}
	for i := range want {
		put(t, s, want[len(want)-1-i], "1")
	}
	if err := os.WriteFile(filepath.Join(dir, "files", "STRAY"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, s); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("listed %q, want %q", got, want)
	}
	for i, after := range want {
		var got []string
		err := s.List(t.Context(), "k/", after, func(info archive.Info) bool {
			got = append(got, info.Key)
			return true
		})
		if wanted := want[min(max(i+1, 6), 11):11]; err != nil || strings.Join(got, "\n") != strings.Join(wanted, "\n") {
			t.Errorf("after %q listed %q, %v; want %q", after, got, err, wanted)
		}
	}
}

func TestStore_ALinkIsSignedForOneMethodKeyAndTime(t *testing.T) {
	t.Parallel()
	s := openStore(t, tempDir(t))
	put(t, s, "a", "content")
	link, err := s.Presign(t.Context(), "a", "attachment", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	request := func(method, link string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, link, strings.NewReader("planted"))
		if err != nil {
			t.Fatal(err)
		}
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	if status := request(http.MethodGet, link); status != http.StatusOK {
		t.Errorf("the link returns %d", status)
	}
	parsed, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(name, value string) string {
		query := parsed.Query()
		query.Set(name, value)
		u := *parsed
		u.RawQuery = query.Encode()
		return u.String()
	}
	other := *parsed
	other.Path = "/b"
	for what, status := range map[string]int{
		"another method":      request(http.MethodPut, link),
		"another key":         request(http.MethodGet, other.String()),
		"a later end":         request(http.MethodGet, changed("expires", "99999999999")),
		"another disposition": request(http.MethodGet, changed("disposition", "inline")),
		"no signature":        request(http.MethodGet, changed("signature", "")),
	} {
		if status != http.StatusForbidden {
			t.Errorf("%s returns %d, want 403", what, status)
		}
	}
	if content, err := get(t, s, "a"); content != "content" || err != nil {
		t.Errorf("the object is %q, %v", content, err)
	}
}

func TestExists_NamesADirectoryThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	if archive, directory, err := dirstore.Exists(dir); archive || !directory || err != nil {
		t.Errorf("an empty directory: %v, %v, %v", archive, directory, err)
	}
	openStore(t, filepath.Join(dir, "data"))
	if archive, directory, err := dirstore.Exists(filepath.Join(dir, "data")); !archive || !directory || err != nil {
		t.Errorf("an archive: %v, %v, %v", archive, directory, err)
	}
	if archive, directory, err := dirstore.Exists(filepath.Join(dir, "none")); archive || directory || err != nil {
		t.Errorf("no directory: %v, %v, %v", archive, directory, err)
	}
	below := filepath.Join(dir, "data", "lock", "x")
	if _, _, err := dirstore.Exists(below); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), below) {
		t.Errorf("got %v, want Invalid naming %s", err, below)
	}
}
