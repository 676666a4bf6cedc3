package dirstore

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"ace/shared/backup"
	"ace/shared/fault"
)

// Snapshot is the state of all objects at one moment. Its objects are read from their
// places. Only an object that is replaced or deleted meanwhile is preserved: before the
// change, its two files get second names (hard links) in tmp/. So taking a snapshot costs
// the same whatever the size of the archive, and what a dead process has left is deleted
// with the rest of tmp/. It relies on every change of an object being a rename or a
// deletion of its files, never a change of their content.
//
// A failure to preserve an object ends the snapshot and not the write.
type Snapshot struct {
	store *Store
	taken time.Time

	mu sync.Mutex
	// preserved has the objects that were changed since, except those that were passed to
	// the caller before their first change.
	preserved map[string]preserved
	position  string // the last path that was passed to the caller; "" before the first
	walked    bool   // the walk has passed all paths
	err       error  // why the snapshot cannot be read any more
}

// preserved is an object of a snapshot that has changed since. Its files are in tmp/.
type preserved struct {
	content string // name of the file; "" if there was no object
	sum     string // "" if the object had no sum
}

// Snapshot takes a snapshot. Writes wait only until those in progress have ended. The
// error is Conflict if there is another snapshot already, and Invalid if the file system
// has no hard links. The caller must call Close.
func (s *Store) Snapshot(ctx context.Context) (*Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.unavailable(err, "failed to take a snapshot of", "all objects")
	}
	if err := s.Writable(); err != nil {
		return nil, err
	}
	if err := s.checkLinks(); err != nil {
		return nil, err
	}

	snap := &Snapshot{store: s, preserved: map[string]preserved{}}
	s.active.Lock() // every change was applied completely, or has not begun
	defer s.active.Unlock()
	snap.taken = time.Now()
	if !s.snapshot.CompareAndSwap(nil, snap) {
		return nil, fault.New(fault.Conflict, "another backup of the archive is in progress; wait until it has ended")
	}
	return snap, nil
}

// checkLinks returns an error if the file system has no hard links.
func (s *Store) checkLinks() error {
	name, linked := s.newStaged(), s.newStaged()
	file, err := createFile(s.tmpFile(name))
	if err != nil {
		return s.unavailable(err, doingWrite, tmpDir)
	}
	file.Close()
	defer s.discard(name)
	defer s.discard(linked)
	err = os.Link(s.tmpFile(name), s.tmpFile(linked))
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) {
		return fault.Wrap(err, fault.Invalid, "the file system of the directory %s has no hard links, which a backup needs: %s; "+
			"stop the service and copy the directory", s.dir, hint(err))
	}
	if err != nil {
		return s.unavailable(err, doingWrite, tmpDir)
	}
	return nil
}

// Taken returns the time of the snapshot.
func (snap *Snapshot) Taken() time.Time { return snap.taken }

// Owner returns the owner of the files.
func (snap *Snapshot) Owner() backup.Owner {
	owner := backup.Owner{UID: os.Getuid(), GID: os.Getgid()}
	if u, err := user.LookupId(strconv.Itoa(owner.UID)); err == nil {
		owner.Name = u.Username
	}
	return owner
}

// Close ends the snapshot. It may be called more than once.
func (snap *Snapshot) Close() {
	if !snap.store.snapshot.CompareAndSwap(snap, nil) {
		return
	}
	snap.mu.Lock()
	defer snap.mu.Unlock()
	snap.err = cmp.Or(snap.err, error(fault.New(fault.Internal, "the snapshot of the archive is closed")))
	for _, p := range snap.preserved {
		snap.discard(p)
	}
	snap.preserved = nil
}

// end makes the snapshot unreadable. The store is closed.
func (snap *Snapshot) end(err error) {
	snap.mu.Lock()
	defer snap.mu.Unlock()
	snap.err = cmp.Or(snap.err, err)
}

func (snap *Snapshot) discard(p preserved) {
	for _, name := range []string{p.content, p.sum} {
		if name != "" {
			snap.store.discard(name)
		}
	}
}

// preserve is called before the object at path changes, with the write lock of its path.
func (snap *Snapshot) preserve(path string) {
	if snap == nil {
		return
	}
	snap.mu.Lock()
	defer snap.mu.Unlock()
	if _, known := snap.preserved[path]; known || snap.err != nil || snap.isPassed(path) {
		return
	}

	s := snap.store
	var p preserved
	s.at("preserve")
	if info, err := os.Lstat(s.objectFile(path)); err == nil && info.Mode().IsRegular() {
		p.content, snap.err = snap.link(s.objectFile(path))
		if _, err := os.Lstat(s.sumFile(path)); snap.err == nil && !isMissing(err) {
			p.sum, snap.err = snap.link(s.sumFile(path))
		}
	} else if err != nil && !isMissing(err) {
		snap.err = err
	}
	if snap.err != nil {
		snap.discard(p)
		snap.err = fault.Wrap(snap.err, fault.Unavailable, "the backup was ended, because the object %s changed and could not be preserved: %s", path, hint(snap.err))
		return
	}
	snap.preserved[path] = p
	s.at("preserved")
}

// link links a file in tmp/ and returns its name there.
func (snap *Snapshot) link(file string) (string, error) {
	name := snap.store.newStaged()
	return name, os.Link(file, snap.store.tmpFile(name))
}

// isPassed reports whether Each has passed the place of a path, so that it needs the
// object there no more.
func (snap *Snapshot) isPassed(path string) bool {
	return snap.walked || snap.position != "" && comparePaths(path, snap.position) >= 0
}

// comparePaths compares two paths by their components.
func comparePaths(a, b string) int {
	slashFirst := func(text string) string { return strings.ReplaceAll(text, "/", "\x00") }
	return cmp.Compare(slashFirst(a), slashFirst(b))
}

// Each calls fn with every object of the snapshot. It may be called once. The order is
// descending, because the objects of tasks change most often: once they are passed, only
// few other objects need to be preserved. fn must read the content before it returns.
func (snap *Snapshot) Each(ctx context.Context, fn func(backup.Object) error) error {
	if err := snap.walk(ctx, "", fn); err != nil {
		return err
	}

	// The rest are objects that were deleted before the walk reached their directory.
	snap.mu.Lock()
	snap.walked = true
	rest := make([]string, 0, len(snap.preserved))
	for path := range snap.preserved {
		rest = append(rest, path)
	}
	snap.mu.Unlock()
	slices.SortFunc(rest, func(a, b string) int { return comparePaths(b, a) })
	for _, path := range rest {
		if err := snap.visit(ctx, path, fn); err != nil {
			return err
		}
	}
	return snap.failure()
}

func (snap *Snapshot) failure() error {
	snap.mu.Lock()
	defer snap.mu.Unlock()
	return snap.err
}

// walk calls fn with the objects below the directory at path.
func (snap *Snapshot) walk(ctx context.Context, path string, fn func(backup.Object) error) error {
	entries, err := os.ReadDir(snap.store.objectFile(path))
	if err != nil && !isMissing(err) { // a directory is removed when it is empty
		return snap.store.unavailable(err, doingList, path)
	}
	slices.Reverse(entries)
	// A file system may list a name twice if the file is replaced meanwhile.
	entries = slices.CompactFunc(entries, func(a, b fs.DirEntry) bool { return a.Name() == b.Name() })
	for _, entry := range entries {
		below := strings.TrimPrefix(path+"/"+entry.Name(), "/")
		if !backup.IsPath(entry.Name()) {
			continue // the store has not written it
		}
		if entry.IsDir() {
			err = snap.walk(ctx, below, fn)
		} else {
			err = snap.visit(ctx, below, fn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// visit calls fn with the object at path, if the snapshot has one.
func (snap *Snapshot) visit(ctx context.Context, path string, fn func(backup.Object) error) error {
	if err := ctx.Err(); err != nil {
		return snap.store.unavailable(err, doingRead, path)
	}
	file, sum, err := snap.open(path)
	if err != nil {
		return snap.store.unavailable(err, doingRead, path)
	}
	if file == nil {
		return nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return snap.store.unavailable(err, doingRead, path)
	}
	content := &exact{path: path, in: file, left: info.Size()}
	return fn(backup.Object{Path: path, Sum: sum, Size: info.Size(), ModTime: info.ModTime(), Content: content})
}

// open opens the files of the object at path as they were when the snapshot was taken. It
// returns nil if there was no object. From then on, the object need not be preserved.
func (snap *Snapshot) open(path string) (content *os.File, sum []byte, err error) {
	s := snap.store
	lock := s.keyLock(path)
	lock.swap.RLock() // the object does not change
	defer lock.swap.RUnlock()

	snap.mu.Lock()
	p, changed := snap.preserved[path]
	delete(snap.preserved, path)
	snap.position = path
	err = snap.err
	snap.mu.Unlock()
	if err != nil {
		snap.discard(p)
		return nil, nil, err
	}

	contentFile, sumFile := s.objectFile(path), s.sumFile(path)
	if changed {
		if p.content == "" {
			return nil, nil, nil
		}
		defer snap.discard(p) // the content remains readable while it is open
		contentFile, sumFile = s.tmpFile(p.content), s.tmpFile(p.sum)
	}
	if content, err = os.Open(contentFile); err != nil {
		return nil, nil, err
	}
	if changed && p.sum == "" {
		return content, nil, nil
	}
	sum, err = os.ReadFile(sumFile)
	if err != nil && !isMissing(err) {
		content.Close()
		return nil, nil, err
	}
	return content, sum, nil
}

// exact reads the content of an object. A file that ends early is an error, because its
// size has been written already.
type exact struct {
	path string
	in   io.Reader
	left int64
}

func (e *exact) Read(p []byte) (int, error) {
	n, err := e.in.Read(p)
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		err = fault.New(fault.Unavailable, "the object %s ended early while it was backed up", e.path)
	}
	return n, err
}
