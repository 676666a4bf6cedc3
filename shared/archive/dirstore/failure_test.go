package dirstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ace/shared/archive"
	"ace/shared/archive/dirstore"
	"ace/shared/fault"
)

// The first of two writes that share a sync fails. The kernel would report success for a
// second sync, although the data of both is lost.
func TestStore_NoWriteSucceedsWhoseSyncFailedForAnother(t *testing.T) {
	t.Parallel()
	var s *dirstore.Store
	spare := 0    // a second descriptor of the journal
	var one int64 // the size of a record, once the journal has one
	syncs := 0
	s, err := dirstore.OpenWith(t.Context(), dirstore.Options{Dir: tempDir(t), Log: slog.New(slog.DiscardHandler)}, 1<<20, func(point string) {
		if point != "sync" || one == 0 {
			return
		}
		fd, size := s.JournalFile()
		for ; size < 3*one; _, size = s.JournalFile() { // until both are in the journal
			time.Sleep(time.Millisecond)
		}
		if syncs++; syncs == 1 {
			var pipe [2]int // it cannot be synced
			err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC)
			err = errors.Join(err, syscall.Dup3(fd, pipe[0], syscall.O_CLOEXEC), syscall.Dup3(pipe[1], fd, syscall.O_CLOEXEC))
			t.Cleanup(func() { _ = errors.Join(syscall.Close(pipe[0]), syscall.Close(pipe[1])) })
			if err != nil {
				t.Error(err)
			}
			spare = pipe[0]
			return
		}
		if err := syscall.Dup3(spare, fd, syscall.O_CLOEXEC); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "1")
	_, one = s.JournalFile()
	errs := make(chan error)
	for _, key := range []string{"b", "c"} {
		go func() {
			_, err := s.PutIfAbsent(t.Context(), key, documentType, []byte("1"))
			errs <- err
		}()
	}
	for range 2 {
		if err := <-errs; fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("got %v, want Unavailable", err)
		}
	}
	_ = s.Close()
}

// What the kernel has in memory may not be on the disk after a failed sync.
func TestOpen_WritesTheFilesOfTheJournalAgainAlsoIfTheyLookRight(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s, err := dirstore.Open(t.Context(), dirstore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "1")
	identities := func() (infos []fs.FileInfo) {
		for _, tree := range []string{"files", "sums"} {
			info, err := os.Stat(filepath.Join(dir, tree, "a"))
			if err != nil {
				t.Fatal(err)
			}
			infos = append(infos, info)
		}
		return infos
	}
	before := identities()
	fail(t, s)
	openStore(t, dir)
	for i, info := range identities() {
		if os.SameFile(before[i], info) {
			t.Errorf("file %d of the object was not written again", i)
		}
	}
	if modified := identities()[0].ModTime(); !modified.Equal(before[0].ModTime()) {
		t.Errorf("the object was last modified at %v, and after a restart at %v", before[0].ModTime(), modified)
	}
}

// fail closes a store after a failure, so that its journal remains.
func fail(t *testing.T, s *dirstore.Store) {
	t.Helper()
	s.BreakJournal()
	if _, err := s.Put(t.Context(), "failed", documentType, nil); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
	_ = s.Close()
}

func TestOpen_AppliesTheDeletionOfAnObjectWhosePathIsADirectoryNow(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s, err := dirstore.Open(t.Context(), dirstore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []step{{"a", "1"}, {"a", ""}, {"a/1", "1"}, {"b/1", "1"}, {"b/1", ""}, {"b", "1"}} {
		if err := perform(t.Context(), s, c); err != nil {
			t.Fatal(err)
		}
	}
	fail(t, s)
	if keys := listed(t, openStore(t, dir)); strings.Join(keys, " ") != "a/1 b" {
		t.Errorf("after a restart there are %q", keys)
	}
}

func TestOpen_KeepsTheJournalOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s, err := dirstore.Open(t.Context(), dirstore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "1")
	fail(t, s)
	log := newestSegment(t, dir)
	text := readFile(t, log)
	writeFile(t, log, append(text, "ACE2 and a record of a later version"...))
	_, err = dirstore.Open(t.Context(), dirstore.Options{Dir: dir})
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), "another version of ACE has written its journal") {
		t.Errorf("got %v, want Invalid", err)
	}
	writeFile(t, log, append(text, "ACE\x00 and more"...)) // an incomplete write
	if keys := listed(t, openStore(t, dir)); strings.Join(keys, " ") != "a" {
		t.Errorf("after an incomplete write there are %q", keys)
	}
}

// A loss of power can leave the content of a large object in its place without the
// directory of its sum, or an older version.
func TestOpen_AppliesALargeWriteOfWhichAPartWasLost(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s, err := dirstore.OpenWith(t.Context(), dirstore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)}, 1<<20, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", dirstore.Inline+1)
	put(t, s, "a/large", large)
	put(t, s, "b/large", large)
	put(t, s, "c/large", large)
	fail(t, s)
	err = errors.Join(os.RemoveAll(filepath.Join(dir, "sums/a")), os.Remove(filepath.Join(dir, "files/c/large")))
	hash := sha256.Sum256([]byte("older"))
	writeFile(t, filepath.Join(dir, "files/b/large"), []byte("older"))
	writeFile(t, filepath.Join(dir, "sums/b/large"), []byte("# type: \n"+hex.EncodeToString(hash[:])+"  files/b/large\n"))
	if err != nil {
		t.Fatal(err)
	}

	s = openStore(t, dir)
	if content, err := get(t, s, "a/large"); content != large || err != nil {
		t.Errorf("a/large has %d bytes, %v", len(content), err)
	}
	if content, err := get(t, s, "b/large"); content != "" || fault.CodeOf(err) != fault.Internal {
		t.Errorf("b/large is %q, %v; want that it is damaged", content, err)
	}
	if _, err := get(t, s, "c/large"); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("c/large: got %v, want ErrNotFound", err)
	}
}

func TestStore_ClosesWhileOthersWrite(t *testing.T) {
	t.Parallel()
	for range 20 {
		dir := tempDir(t)
		s, err := dirstore.OpenWith(t.Context(), dirstore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)}, 1, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		var writing sync.WaitGroup
		for writer := range 4 {
			writing.Go(func() {
				for {
					if _, err := s.Put(t.Context(), strconv.Itoa(writer), documentType, nil); err != nil {
						return
					}
				}
			})
		}
		time.Sleep(5 * time.Millisecond)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		writing.Wait()
	}
}

// The write fails between its two renames while the store is closed.
func TestStore_KeepsTheJournalIfAWriteFailsDuringClose(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	var s *dirstore.Store
	closed := make(chan error, 1)
	isArmed := false
	s, err := dirstore.OpenWith(t.Context(), dirstore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)}, 1<<20, func(point string) {
		if point != "move content" || !isArmed {
			return
		}
		go func() { closed <- s.Close() }()
		for s.Writable() == nil {
			time.Sleep(time.Millisecond)
		}
		for name := range files(t, filepath.Join(dir, "tmp")) {
			if err := os.Remove(filepath.Join(dir, "tmp", name)); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "1")
	isArmed = true
	if _, err := s.Put(t.Context(), "a", documentType, []byte("2")); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if content, err := get(t, openStore(t, dir), "a"); content != "2" || err != nil {
		t.Errorf("after a restart it is %q, %v", content, err)
	}
}

// A full disk or too many open files prevent the store from creating a file, and the
// write may succeed later.
func TestStore_AWriteThatCannotCreateAFileIsUnavailable(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"tmp", "journal"} {
		dir := tempDir(t)
		s := openStore(t, dir)
		path := filepath.Join(dir, missing)
		if err := errors.Join(os.Rename(path, path+".away"), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{"small": "1", "large": strings.Repeat("x", 300<<10)} {
			_, err := s.Put(t.Context(), "a", documentType, []byte(content))
			if err == nil || fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("without %s, a write of a %s object: got %v, want Unavailable", missing, name, err)
			}
			w, err := s.Create(t.Context(), "a", documentType)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.Write([]byte(content))
			if err == nil {
				_, err = w.Commit(t.Context())
			}
			w.Abort()
			if fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("without %s, a stream of a %s object: got %v, want Unavailable", missing, name, err)
			}
		}
		if err := errors.Join(os.Remove(path), os.Rename(path+".away", path)); err != nil {
			t.Fatal(err)
		}
		put(t, s, "a", "1")
	}
}

// After Unavailable, a service manager starts the service again.
func TestOpen_IsUnavailableAfterAnErrorThatMayPass(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if err := dirstore.UnusableBecause(cause); fault.CodeOf(err) != fault.Unavailable || !errors.Is(err, cause) {
			t.Errorf("%v: got %v, want Unavailable", cause, err)
		}
	}
	full := fault.PublicMessage(dirstore.UnusableBecause(syscall.ENOSPC))
	if !strings.Contains(full, "/data") || !strings.Contains(full, archive.HintNoSpace) {
		t.Errorf("the message about a full disk is %q", full)
	}
	denied := dirstore.UnusableBecause(syscall.EACCES)
	if fault.CodeOf(denied) != fault.Invalid || !strings.Contains(fault.PublicMessage(denied), "/data/tmp/a: permission denied") {
		t.Errorf("got %v, want Invalid", denied)
	}

	dir := filepath.Join(tempDir(t), "data")
	gatewayData(t, dir, false)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := dirstore.Open(ctx, dirstore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if fault.CodeOf(err) != fault.Unavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled conversion: got %v, want Unavailable", err)
	}
	checkConverted(t, dir)
}
