package dirstore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ace/infra/testkit/soak"
	"ace/shared/archive/dirstore"
	"ace/shared/backup"
	"ace/shared/fault"
)

// backUp writes a backup of a snapshot. between is called before each object.
func backUp(ctx context.Context, snapshot *dirstore.Snapshot, out io.Writer, between func()) error {
	w := backup.NewWriter(out, snapshot.Owner(), snapshot.Taken(), "test")
	err := snapshot.Each(ctx, func(o backup.Object) error {
		between()
		return w.Add(o)
	})
	if err == nil {
		_, err = w.Close()
	}
	return err
}

// restore restores a backup into a new directory and returns its objects.
func restore(t *testing.T, content []byte) (map[string]string, dirstore.Restored) {
	t.Helper()
	dir := filepath.Join(tempDir(t), "restored")
	restored, err := dirstore.Restore(t.Context(), dir, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir)
	return contents(t, s), restored
}

// model is a store, and the objects that it must have.
type model struct {
	store   *dirstore.Store
	objects map[string]string
	number  int
}

// change makes a random change.
func (m *model) change(t *rapid.T) {
	keys := []string{"a", "a-b", "b/1", "b/2", "b/c/3", "tasks/1/task.json", "tasks/1/parts/a", "tasks/2/task.json", "x/y/z", "diffs/Ä"}
	key := rapid.SampledFrom(keys).Draw(t, "key")
	m.number++
	if rapid.IntRange(0, 2).Draw(t, "kind") == 0 {
		if err := m.store.Delete(context.Background(), key); err != nil {
			t.Fatal(err)
		}
		delete(m.objects, key)
		return
	}
	content := strconv.Itoa(m.number) + strings.Repeat("x", rapid.SampledFrom([]int{0, 10, 2 * dirstore.Inline}).Draw(t, "size"))
	if _, err := m.store.Put(context.Background(), key, documentType, []byte(content)); err != nil {
		t.Fatal(err)
	}
	m.objects[key] = content
}

func TestSnapshot_HasTheObjectsOfItsMomentWhateverChangesMeanwhile(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	m := &model{store: openStore(t, dir), objects: map[string]string{}}
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(0, 12).Draw(rt, "before") {
			m.change(rt)
		}
		want := maps.Clone(m.objects)
		snapshot, err := m.store.Snapshot(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		defer snapshot.Close()
		for range rapid.IntRange(0, 6).Draw(rt, "at once") {
			m.change(rt)
		}
		var out bytes.Buffer
		err = backUp(t.Context(), snapshot, &out, func() {
			for range rapid.IntRange(0, 3).Draw(rt, "between") {
				m.change(rt)
			}
		})
		if err != nil {
			rt.Fatal(err)
		}
		got := map[string]string{}
		if _, err := backup.Read(&out, func(o backup.Object) error {
			content, err := io.ReadAll(o.Content)
			got[o.Path] = string(content)
			return err
		}); err != nil {
			rt.Fatal(err)
		}
		wantPaths := map[string]string{}
		for key, content := range want {
			path, _ := dirstore.PathOf(key)
			wantPaths[path] = content
		}
		if !maps.Equal(got, wantPaths) {
			rt.Fatalf("the backup has %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(wantPaths)))
		}
		snapshot.Close()
		if left := files(t, filepath.Join(dir, "tmp")); len(left) > 0 {
			rt.Fatalf("tmp/ still has %v", left)
		}
	})
}

// chain is a writer that writes first/n before second/n, replaces the counter in between,
// and deletes the objects of an earlier n in the same order.
func chain(ctx context.Context, s *dirstore.Store, name string) error {
	for n := 1; ctx.Err() == nil; n++ {
		steps := []step{
			{fmt.Sprintf("tasks/%s/first-%d", name, n), "1"}, {"locks/" + name, strconv.Itoa(n)}, {fmt.Sprintf("audit/%s/second-%d", name, n), "2"},
		}
		if n > 20 {
			steps = append(steps, step{fmt.Sprintf("audit/%s/second-%d", name, n-20), ""}, step{fmt.Sprintf("tasks/%s/first-%d", name, n-20), ""})
		}
		for _, c := range steps {
			if err := perform(context.WithoutCancel(ctx), s, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkChain checks that the objects are those of a moment in the life of a writer.
func checkChain(t *testing.T, objects map[string]string, name string) (counter int) {
	t.Helper()
	counter, _ = strconv.Atoi(objects["locks/"+name])
	for n := range counter + 3 {
		_, first := objects[fmt.Sprintf("tasks/%s/first-%d", name, n)]
		_, second := objects[fmt.Sprintf("audit/%s/second-%d", name, n)]
		switch {
		case second && !first:
			t.Errorf("%s: second-%d without first-%d", name, n, n)
		case second && n > counter, first && n > counter+1:
			t.Errorf("%s: %d is there, the counter is %d", name, n, counter)
		case n > 0 && n > counter-19 && n < counter && !second:
			t.Errorf("%s: second-%d is missing, the counter is %d", name, n, counter)
		}
	}
	return counter
}

func TestSnapshot_ARestoredStateHasExisted(t *testing.T) {
	t.Parallel()
	s := openStore(t, tempDir(t))
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	names := []string{"w1", "w2", "w3"}
	for _, name := range names {
		writing.Go(func() {
			if err := chain(ctx, s, name); err != nil {
				t.Error(err)
			}
		})
	}
	defer writing.Wait()
	defer stop()

	last := map[string]int{}
	for range soak.Rounds(t, 30, 3000) {
		snapshot, err := s.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err = backUp(t.Context(), snapshot, &out, func() {})
		snapshot.Close()
		if err != nil {
			t.Fatal(err)
		}
		objects, _ := restore(t, out.Bytes())
		for _, name := range names {
			counter := checkChain(t, objects, name)
			if counter < last[name] {
				t.Errorf("%s: the counter was %d and is %d now", name, last[name], counter)
			}
			last[name] = counter
		}
	}
	for _, name := range names {
		if last[name] < 30 {
			t.Errorf("%s has written only %d times: nothing is shown", name, last[name])
		}
	}
}

func TestSnapshot_OneAtATime(t *testing.T) {
	t.Parallel()
	s := openStore(t, tempDir(t))
	first, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Snapshot(t.Context()); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a second snapshot: %v", err)
	}
	first.Close()
	second, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first.Close() // must not end the second one
	if _, err := s.Snapshot(t.Context()); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("after the first was closed again: %v", err)
	}
	second.Close()
	if err := second.Each(t.Context(), func(backup.Object) error { return nil }); err == nil {
		t.Error("a closed snapshot can be read")
	}
}

func TestSnapshot_EndsWhenTheStoreIsClosed(t *testing.T) {
	t.Parallel()
	s, err := dirstore.Open(t.Context(), dirstore.Options{Dir: tempDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "1")
	put(t, s, "b", "2")
	snapshot, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = backUp(t.Context(), snapshot, io.Discard, func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err == nil {
		t.Error("the backup of a closed store was completed")
	}
}

// A write must not fail because of a backup.
func TestSnapshot_ThatCannotPreserveAnObjectEndsAlone(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	tmp, away := filepath.Join(dir, "tmp"), filepath.Join(dir, "away")
	fails := false
	s, err := dirstore.OpenWith(t.Context(), dirstore.Options{Dir: dir}, 1<<20, func(point string) {
		switch {
		case fails && point == "preserve": // a link cannot be made in a directory that is away
			_ = os.Rename(tmp, away)
		case fails && point == "move sum":
			_ = os.Rename(away, tmp)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "1")
	put(t, s, "b", "1")
	snapshot, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()

	fails = true
	put(t, s, "a", "2")
	fails = false
	err = backUp(t.Context(), snapshot, io.Discard, func() {})
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.PublicMessage(err), "object a changed") {
		t.Errorf("the backup returned %v", err)
	}
	if got, err := get(t, s, "a"); got != "2" || err != nil {
		t.Errorf("the object has %q, %v", got, err)
	}
	put(t, s, "a", "3")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestSnapshot_HasADamagedObjectAsItIs(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	s := openStore(t, dir)
	put(t, s, "a", "content")
	put(t, s, "b", "content")
	put(t, s, "c", "content")
	damage(t, dir, "b")
	if err := os.Remove(filepath.Join(dir, "sums/c")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "files/.hidden"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	snapshot, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	var out bytes.Buffer
	if err := backUp(t.Context(), snapshot, &out, func() {}); err != nil {
		t.Fatal(err)
	}
	restored, err := dirstore.Restore(t.Context(), filepath.Join(tempDir(t), "new"), &out)
	if err != nil || !slices.Equal(restored.Damaged, []string{"c", "b"}) || restored.Objects != 3 {
		t.Errorf("restored %+v, %v", restored, err)
	}
}

func TestRestore_LeavesNothingOfABackupThatEndsEarly(t *testing.T) {
	t.Parallel()
	s := openStore(t, tempDir(t))
	put(t, s, "open/td_20240315_123456", "")
	put(t, s, "diffs/x.json", strings.Repeat("x", 3000))
	snapshot, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	var out bytes.Buffer
	if err := backUp(t.Context(), snapshot, &out, func() {}); err != nil {
		t.Fatal(err)
	}
	whole := out.Bytes()

	empty, absent := tempDir(t), filepath.Join(tempDir(t), "absent")
	for n := 0; n < len(whole); n += 512 {
		for _, dir := range []string{empty, absent} {
			if _, err := dirstore.Restore(t.Context(), dir, bytes.NewReader(whole[:n])); fault.CodeOf(err) != fault.Invalid {
				t.Fatalf("the first %d of %d bytes: %v", n, len(whole), err)
			}
		}
	}
	if entries, err := os.ReadDir(empty); err != nil || len(entries) > 0 {
		t.Errorf("the empty directory has %v, %v", entries, err)
	}
	if _, err := os.Stat(absent); !os.IsNotExist(err) {
		t.Errorf("the new directory remains: %v", err)
	}
	objects, restored := restore(t, whole)
	if len(objects) != 2 || !slices.Equal(restored.Unfinished, []string{"td_20240315_123456"}) {
		t.Errorf("the whole backup: %v, %+v", objects, restored)
	}
	for _, name := range []string{"x", "sums", "restoring"} {
		used := tempDir(t)
		writeFile(t, filepath.Join(used, name), []byte("x"))
		if _, err := dirstore.Restore(t.Context(), used, bytes.NewReader(whole)); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("restored into a directory that has the file %s: %v", name, err)
		}
	}
}

// meanwhile calls do once, before the first read.
type meanwhile struct {
	io.Reader
	do func()
}

func (m *meanwhile) Read(p []byte) (int, error) {
	if m.do != nil {
		m.do()
		m.do = nil
	}
	return m.Reader.Read(p)
}

// wholeBackup returns a backup of an archive that has one object.
func wholeBackup(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w := backup.NewWriter(&out, backup.Owner{}, time.Now(), "test")
	content := []byte("content")
	if err := w.Add(backup.Object{Path: "a", Sum: sumText("a", content), Size: int64(len(content)), Content: bytes.NewReader(content)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// killedRestore returns the directory of a restore that was killed after it had written
// the object.
func killedRestore(t *testing.T, whole []byte) string {
	t.Helper()
	dir, killed := tempDir(t), filepath.Join(tempDir(t), "killed")
	end := len(whole) - 1024
	_, err := dirstore.Restore(t.Context(), dir, io.MultiReader(bytes.NewReader(whole[:end]), &meanwhile{bytes.NewReader(whole[end:]), func() {
		copyTree(t, dir, killed)
	}}))
	if err != nil {
		t.Fatal(err)
	}
	return killed
}

// A service must not start with an empty archive where a restore was killed.
func TestRestore_ThatWasKilledCanBeRepeated(t *testing.T) {
	t.Parallel()
	whole := wholeBackup(t)
	for name, moved := range map[string][]string{"before the objects are moved": nil, "after the sums were moved": {"sums"}} {
		dir := killedRestore(t, whole)
		for _, kind := range moved {
			if err := os.Rename(filepath.Join(dir, "restoring", kind), filepath.Join(dir, kind)); err != nil {
				t.Fatal(err)
			}
		}
		s, err := dirstore.Open(t.Context(), dirstore.Options{Dir: dir})
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), "ace restore was interrupted") {
			t.Errorf("%s: the service starts: %v", name, err)
		}
		if err == nil {
			_ = s.Close()
		}
		if _, err := dirstore.Restore(t.Context(), dir, bytes.NewReader(whole)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := contents(t, openStore(t, dir)); len(got) != 1 || got["a"] != "content" {
			t.Errorf("%s: restored are %v", name, got)
		}
	}

	dir := killedRestore(t, whole)
	for _, kind := range []string{"sums", "files"} {
		if err := os.Rename(filepath.Join(dir, "restoring", kind), filepath.Join(dir, kind)); err != nil {
			t.Fatal(err)
		}
	}
	if got := contents(t, openStore(t, dir)); len(got) != 1 || got["a"] != "content" {
		t.Errorf("after both were moved: %v", got)
	}
}

// A service that starts too early must not work with an empty archive, nor prevent that
// the objects get to their places.
func TestRestore_NoOtherProcessUsesTheDirectoryMeanwhile(t *testing.T) {
	t.Parallel()
	whole := wholeBackup(t)
	dir := tempDir(t)
	_, err := dirstore.Restore(t.Context(), dir, &meanwhile{bytes.NewReader(whole), func() {
		s, err := dirstore.Open(t.Context(), dirstore.Options{Dir: dir})
		if fault.CodeOf(err) != fault.Conflict {
			t.Errorf("the directory was opened during the restore: %v", err)
		}
		if err == nil {
			put(t, s, "b", "of the service")
			_ = s.Close()
		}
		if _, err := dirstore.Restore(t.Context(), dir, bytes.NewReader(whole)); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("a second restore at the same time: %v", err)
		}
	}})
	if err != nil {
		t.Error(err)
	}
	if got := contents(t, openStore(t, dir)); len(got) != 1 || got["a"] != "content" {
		t.Errorf("restored are %v", got)
	}
}

// TestSnapshot_PausesWritesBriefly reports how long writes wait for a snapshot of a large
// archive: go test -run PausesWrites -v.
func TestSnapshot_PausesWritesBriefly(t *testing.T) {
	if testing.Short() {
		t.Skip("100,000 objects are left out with -short")
	}
	dir := tempDir(t)
	count := soak.Rounds(t, 2_000, 100_000)
	fill(t, dir, count)
	s := openStore(t, dir)

	idle := slowestWrite(t, s, func() { time.Sleep(300 * time.Millisecond) })
	var out counted
	var took, taking time.Duration
	busy := slowestWrite(t, s, func() {
		begun := time.Now()
		snapshot, err := s.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer snapshot.Close()
		taking = time.Since(begun)
		if err := backUp(t.Context(), snapshot, &out, func() {}); err != nil {
			t.Fatal(err)
		}
		took = time.Since(begun)
	})
	t.Logf("%d objects, %d MB in %s; the snapshot was taken in %s; slowest write without a backup %s, with one %s", count, out>>20, took, taking, idle, busy)
}

// counted counts the bytes that were written.
type counted int64

func (c *counted) Write(p []byte) (int, error) {
	*c += counted(len(p))
	return len(p), nil
}

// fill writes objects to a directory without the store, which would sync each.
func fill(t *testing.T, dir string, count int) {
	t.Helper()
	content := bytes.Repeat([]byte("0123456789abcdef"), 64)
	var blob bytes.Buffer
	w := backup.NewWriter(&blob, backup.Owner{}, time.Now(), "test")
	for n := range count {
		path := fmt.Sprintf("tasks/td_%06d/task.json", n)
		object := backup.Object{Path: path, Sum: sumText(path, content), Size: int64(len(content)), ModTime: time.Now(), Content: bytes.NewReader(content)}
		if err := w.Add(object); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := dirstore.Restore(t.Context(), dir, &blob); err != nil {
		t.Fatal(err)
	}
}

// sumText returns the sum of an object as the store writes it.
func sumText(path string, content []byte) []byte {
	return fmt.Appendf(nil, "# type: %s\n%x  files/%s\n", documentType, sha256.Sum256(content), path)
}

// slowestWrite returns the duration of the slowest write while fn runs.
func slowestWrite(t *testing.T, s *dirstore.Store, fn func()) time.Duration {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var slowest time.Duration
	var writing sync.WaitGroup
	writing.Go(func() {
		for ctx.Err() == nil {
			key := fmt.Sprintf("tasks/td_%06d/task.json", rand.N(2000))
			begun := time.Now()
			if _, err := s.Put(t.Context(), key, documentType, []byte(key)); err != nil {
				t.Error(err)
			}
			slowest = max(slowest, time.Since(begun))
		}
	})
	fn()
	stop()
	writing.Wait()
	return slowest
}
