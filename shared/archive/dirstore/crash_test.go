package dirstore_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ace/shared/archive"
	"ace/shared/archive/dirstore"
)

// The variables of the child process of the crash tests.
const (
	crashDir   = "ACE_TEST_CRASH_DIR"
	crashPoint = "ACE_TEST_CRASH_POINT"
	crashAt    = "ACE_TEST_CRASH_AT"
	crashSteps = "ACE_TEST_CRASH_STEPS" // "" performs all
)

// points are all points at which a store can be stopped, except those of a checkpoint.
var points = []string{
	"stage", "sync staged", "append", "sync", "synced", "move sum", "move content", "moved", "remove content", "remove sum", "removed",
	"flush", "flushed", "segment removed", "preserve", "preserved",
}

// step is a change of the workload. A step that returns is acknowledged.
type step struct {
	key     string
	content string // "" deletes the object
}

// workload returns changes of all kinds: small and large objects, new ones, replacements
// and deletions.
func workload() []step {
	large := strings.Repeat("0123456789abcdef", dirstore.Inline/16+1)
	var steps []step
	for n := range 3 {
		steps = append(steps,
			step{"tasks/counter", strconv.Itoa(n + 1)},
			step{fmt.Sprintf("tasks/%d/plan.json", n), fmt.Sprintf("plan %d", n)},
			step{fmt.Sprintf("diffs/%d.json", n), large + strconv.Itoa(n)},
			step{"tasks/counter", strconv.Itoa(n+1) + " more"},
			step{fmt.Sprintf("tasks/%d/plan.json", n), ""},
			step{"diffs/large", large + "replaced " + strconv.Itoa(n)},
		)
	}
	return append(steps, step{"diffs/large", ""}, step{"diffs/0.json", ""}, step{"diffs/0.json", "again"})
}

// perform executes a step. A replacement of the counter is a compare-and-swap.
func perform(ctx context.Context, s *dirstore.Store, c step) error {
	if c.content == "" {
		return s.Delete(ctx, c.key)
	}
	if len(c.content) > dirstore.Inline && c.key != "diffs/large" {
		w, err := s.Create(ctx, c.key, "application/json")
		if err == nil {
			_, err = io.WriteString(w, c.content)
		}
		if err == nil {
			_, err = w.Commit(ctx)
		}
		return err
	}
	info, err := s.Stat(ctx, c.key)
	if errors.Is(err, archive.ErrNotFound) {
		_, err = s.PutIfAbsent(ctx, c.key, "application/json", []byte(c.content))
		return err
	}
	if err == nil {
		_, err = s.PutIfMatch(ctx, c.key, "application/json", []byte(c.content), info.ETag)
	}
	return err
}

// TestCrashChild is the child process of TestStore_SurvivesKill9: it performs the
// workload, prints the number of each step that returned, and kills itself when the n-th
// call reaches a point.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		return // not a child process
	}
	nth, err := strconv.Atoi(os.Getenv(crashAt))
	if err != nil {
		t.Fatal(err)
	}
	s, err := dirstore.OpenWith(t.Context(), dirstore.Options{Dir: dir}, 1<<20, func(point string) {
		if point == os.Getenv(crashPoint) {
			if nth--; nth == 0 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	steps := workload()
	if os.Getenv(crashSteps) == "none" {
		steps = nil
	}
	for i, c := range steps {
		if i%7 == 0 { // changes of the next steps are made during a backup
			snapshot, err := s.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer snapshot.Close()
		}
		if err := perform(t.Context(), s, c); err != nil {
			t.Fatal(err)
		}
		fmt.Println("done", i)
		if i%7 == 6 {
			s.EndSnapshot()
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// crash runs the workload in a child process that kills itself. It returns the number of
// steps that returned, and whether the process was killed.
func crash(t *testing.T, dir, point string, nth int, env ...string) (done int, killed bool) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$", "-test.v")
	child.Env = append(os.Environ(), crashDir+"="+dir, crashPoint+"="+point, crashAt+"="+strconv.Itoa(nth))
	child.Env = append(child.Env, env...)
	out, err := child.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "done ") {
			done++
		}
	}
	status, isExit := child.ProcessState.Sys().(syscall.WaitStatus)
	killed = isExit && status.Signaled() && status.Signal() == syscall.SIGKILL
	if err != nil && !killed {
		t.Fatalf("the child process failed: %v\n%s", err, out)
	}
	return done, killed
}

// state returns the objects after the first n steps.
func state(n int) map[string]string {
	objects := map[string]string{}
	for _, c := range workload()[:n] {
		if objects[c.key] = c.content; c.content == "" {
			delete(objects, c.key)
		}
	}
	return objects
}

// contents reads all objects of a store.
func contents(t *testing.T, s *dirstore.Store) map[string]string {
	t.Helper()
	objects := map[string]string{}
	err := s.List(t.Context(), "", "", func(info archive.Info) bool {
		object, err := s.Get(t.Context(), info.Key)
		if err != nil {
			t.Errorf("%s cannot be read: %v", info.Key, err)
			return true
		}
		defer object.Body.Close()
		body, err := io.ReadAll(object.Body)
		if err != nil || object.ContentType != "application/json" {
			t.Errorf("%s of type %q cannot be read: %v", info.Key, object.ContentType, err)
		}
		objects[info.Key] = string(body)
		return true
	})
	if err != nil {
		t.Error(err)
	}
	return objects
}

// checkState checks that a directory has the objects after one of the given numbers of
// steps, and nothing else.
func checkState(t *testing.T, dir string, allowed ...int) {
	t.Helper()
	s := openStore(t, dir)
	got := contents(t, s)
	if !slices.ContainsFunc(allowed, func(n int) bool { return maps.Equal(got, state(n)) }) {
		t.Errorf("the objects are %.300q, want those after %v of the steps", fmt.Sprint(slices.Sorted(maps.Keys(got))), allowed)
	}
	for _, left := range []string{"tmp", "journal"} {
		if entries, err := os.ReadDir(filepath.Join(dir, left)); err != nil || len(entries) > 0 {
			t.Errorf("%s/ has %v after the start, %v", left, entries, err)
		}
	}
	// The store can be used.
	if err := perform(t.Context(), s, step{"after", "1"}); err != nil {
		t.Error(err)
	}
}

func TestStore_SurvivesKill9AtEachSystemCall(t *testing.T) {
	t.Parallel()
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			for _, nth := range []int{1, 2, 6, 17} {
				dir := tempDir(t)
				done, killed := crash(t, dir, point, nth)
				if !killed {
					if nth == 1 {
						t.Error("the point was not reached: the test is void")
					}
					continue
				}
				next := min(done+1, len(workload()))
				checkState(t, dir, done, next)
			}
		})
	}
}

// A second process that is killed while it applies the journal of the first.
func TestStore_SurvivesKill9WhileItAppliesTheJournal(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"stage", "move sum", "move content", "remove content", "flush", "flushed", "segment removed"} {
		for nth := 1; nth <= 3; nth += 2 {
			dir := tempDir(t)
			// The journal has a large and a small write and a deletion.
			done, killed := crash(t, dir, "move sum", 15)
			if !killed {
				t.Fatal("the first process was not killed")
			}
			if _, killed := crash(t, dir, point, nth, crashSteps+"=none"); !killed && nth == 1 {
				t.Errorf("%s was not reached: the test is void", point)
			}
			checkState(t, dir, done, done+1)
		}
	}
}

// TestCrashWriters is the child process of TestStore_SurvivesKill9AmongManyWriters. Each
// writer counts by compare-and-swap and prints each count that was stored.
func TestCrashWriters(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		return // not a child process
	}
	s, err := dirstore.OpenWith(t.Context(), dirstore.Options{Dir: dir}, 4<<10, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	for writer := range writers {
		go func() {
			for n := 1; ; n++ {
				if err := perform(t.Context(), s, step{fmt.Sprint("counter/", writer), strconv.Itoa(n)}); err != nil {
					panic(err)
				}
				fmt.Printf("stored %d %d\n", writer, n)
			}
		}()
	}
	select {}
}

const writers = 6

// The journal is so small that the process is killed in the middle of checkpoints, too.
func TestStore_SurvivesKill9AmongManyWriters(t *testing.T) {
	t.Parallel()
	for range 3 {
		dir := tempDir(t)
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashWriters$", "-test.v")
		child.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		stored := readStored(t, out, child.Process)
		_ = child.Wait() // it was killed

		s := openStore(t, dir)
		for writer, n := range stored {
			object, err := s.Get(t.Context(), fmt.Sprint("counter/", writer))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(object.Body)
			got, _ := strconv.Atoi(string(text))
			if err != nil || got != n && got != n+1 {
				t.Errorf("counter %d is %q, %v; %d was stored", writer, text, err, n)
			}
		}
	}
}

// readStored returns the last count of each writer. It kills the process after some
// counts, and after each writer has stored one.
func readStored(t *testing.T, out io.Reader, process *os.Process) map[int]int {
	t.Helper()
	stored := map[int]int{}
	lines := bufio.NewScanner(out)
	killed := false
	for total := 0; lines.Scan(); {
		var writer, n int
		if _, err := fmt.Sscanf(lines.Text(), "stored %d %d", &writer, &n); err != nil {
			continue
		}
		stored[writer] = n
		if total++; !killed && total >= 300 && len(stored) == writers {
			killed = true
			_ = process.Kill()
		}
	}
	if !killed {
		t.Errorf("the process ended although only %d writers have stored something", len(stored))
	}
	return stored
}

// disk simulates what a loss of power leaves: the last checkpoint, the journal up to the
// last sync, and synced files in tmp/. What was not synced survives or not.
type disk struct {
	t       *testing.T
	dir     string
	flushed string // copy of the directory at the last checkpoint
	synced  int64  // size of the newest segment at the last sync
	// staged has the names in tmp/ of large contents, which were synced there. A rename to
	// their places may be lost, the content cannot.
	staged map[string]string
}

func (d *disk) at(point string) {
	switch point {
	case "flushed":
		copyTree(d.t, d.dir, d.flushed)
	case "move content":
		for name := range files(d.t, filepath.Join(d.dir, "tmp")) {
			if content := readFile(d.t, filepath.Join(d.dir, "tmp", name)); len(content) > dirstore.Inline {
				d.staged[string(content)] = name
			}
		}
	case "synced":
		d.synced = fileSize(d.t, newestSegment(d.t, d.dir))
	}
}

// lose builds the directory after a loss of power now. survives reports whether a change
// that was not synced survives.
func (d *disk) lose(survives func() bool) string {
	lost := tempDir(d.t)
	copyTree(d.t, d.dir, lost)
	for _, tree := range []string{"files", "sums"} {
		d.revert(lost, tree, survives)
	}
	if log := newestSegment(d.t, lost); log != "" {
		size := d.synced
		if extra := fileSize(d.t, log) - size; extra > 0 && survives() {
			size += extra / 2 // a torn record
		}
		if err := os.Truncate(log, size); err != nil {
			d.t.Fatal(err)
		}
	}
	return lost
}

// revert undoes changes of a tree since the last checkpoint: a file gets its former
// content, loses its content, or did not exist; a deleted file exists again.
func (d *disk) revert(lost, tree string, survives func() bool) {
	before, after := filepath.Join(d.flushed, tree), filepath.Join(lost, tree)
	for path := range files(d.t, after) {
		now, then := readFile(d.t, filepath.Join(after, path)), readFile(d.t, filepath.Join(before, path))
		if bytes.Equal(now, then) || survives() {
			continue
		}
		if name, isStaged := d.staged[string(now)]; isStaged {
			writeFile(d.t, filepath.Join(lost, "tmp", name), now)
		} else if then == nil && survives() {
			then = []byte{} // the entry survives, the content does not
		}
		writeFile(d.t, filepath.Join(after, path), then)
	}
	for path := range files(d.t, before) {
		if readFile(d.t, filepath.Join(after, path)) == nil && !survives() {
			writeFile(d.t, filepath.Join(after, path), readFile(d.t, filepath.Join(before, path)))
		}
	}
}

func TestStore_ALossOfPowerLosesNoWriteThatReturned(t *testing.T) {
	t.Parallel()
	d := &disk{t: t, dir: tempDir(t), flushed: tempDir(t), staged: map[string]string{}}
	s, err := dirstore.OpenWith(t.Context(), dirstore.Options{Dir: d.dir}, 1<<20, d.at)
	if err != nil {
		t.Fatal(err)
	}
	copyTree(t, d.dir, d.flushed)
	for i, c := range workload() {
		if err := perform(t.Context(), s, c); err != nil {
			t.Fatal(err)
		}
		for round := range 3 {
			turn := 0
			checkState(t, d.lose(func() bool {
				turn++
				return round > 0 && (turn+i)%(round+1) == 0
			}), i+1)
		}
		if i%10 == 9 {
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			d.synced = 0
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func newestSegment(t *testing.T, dir string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "journal", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	if len(logs) == 0 {
		return ""
	}
	return logs[len(logs)-1]
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// files returns the paths of all files below a directory, relative to it.
func files(t *testing.T, dir string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			path, err = filepath.Rel(dir, path)
			found[path] = true
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return found
}

// copyTree makes a directory a copy of another.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.Walk(to, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.IsDir() {
			err = os.Chmod(path, 0o700)
		} else if err == nil {
			err = os.Chmod(path, 0o600)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readFile returns the content of a file, or nil if it does not exist.
func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		t.Fatal(err)
	}
	return content
}

// writeFile writes a file, or deletes it if content is nil.
func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	err := os.Remove(path)
	if content != nil {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path, content, 0o600)
		}
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}
