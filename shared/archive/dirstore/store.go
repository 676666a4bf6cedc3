package dirstore

import (
	"context"
	"crypto/rand"
	"errors"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/private"
)

const (
	filesDir   = "files"
	sumsDir    = "sums"
	journalDir = "journal"
	tmpDir     = "tmp"
	lockFile   = "lock"

	dirMode  = 0o700
	fileMode = 0o600

	// inlineLimit is the default of tuning.inline.
	inlineLimit = 256 << 10
	// checkpointSize is the default of tuning.checkpoint.
	checkpointSize = 16 << 20
	// verifyAtOnce is the maximum size in bytes of content that is verified before any of
	// it is returned.
	verifyAtOnce = 1 << 20

	lockCount = 256
)

// Options are the options of Open.
type Options struct {
	Dir string       // the directory; it is created if it does not exist
	Log *slog.Logger // nil: slog.Default
}

// tuning is what tests change.
type tuning struct {
	// at is called before and after each system call that changes the directory. Tests end
	// the process there.
	at         func(point string)
	inline     int   // maximum size in bytes of content that is written to the journal
	checkpoint int64 // size in bytes of the journal at which a checkpoint begins
}

// Store is a directory. The process has the lock of the directory until Close.
type Store struct {
	dir     string // absolute
	log     *slog.Logger
	lock    *os.File
	tmp     *os.File // the directory tmp/
	journal *journal
	// run and staged are the parts of the name of a new file in tmp/. run is a random text,
	// because tmp/ may have files of an earlier process. staged is the number of the last
	// file.
	run    string
	staged atomic.Int64
	tuning

	keys [lockCount]keyLock
	seed maphash.Seed
	// A change locks active for reading before it writes its record, until it is applied. A
	// rotation of the journal locks active for writing.
	active sync.RWMutex
	// shape is locked for writing while empty directories are removed, and for reading while
	// a file is moved into a directory.
	shape sync.RWMutex
	// failure is the error after which the state of the directory is unclear, or nil.
	failure atomic.Pointer[error]
	closed  atomic.Bool // set when Close begins

	checkpoints checkpoints
	links       links
	snapshot    atomic.Pointer[Snapshot] // nil: there is none
}

// keyLock locks the keys with the same hash.
type keyLock struct {
	change sync.Mutex   // locked from the check of a condition to the end of the change
	swap   sync.RWMutex // locked for writing while the two files of an object are replaced
}

var _ archive.Store = (*Store)(nil)

// Open opens a directory and acquires its lock. It applies the changes of the journal
// that an earlier process left, and converts a directory that an earlier version of ACE
// has written. The error is Conflict if another process has the lock,
// Invalid if the directory cannot be used, Internal if the journal is damaged, and
// Unavailable if a later call may succeed, such as after an error of the disk. The caller
// must call Close.
func Open(ctx context.Context, opts Options) (*Store, error) {
	return open(ctx, opts, tuning{at: func(string) {}, inline: inlineLimit, checkpoint: checkpointSize})
}

func open(ctx context.Context, opts Options, tuning tuning) (*Store, error) {
	if opts.Dir == "" {
		return nil, fault.New(fault.Invalid, "the data directory %q cannot be used", opts.Dir)
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	dir, err := private.Resolve(opts.Dir)
	if err != nil {
		return nil, refused(err)
	}

	s := &Store{dir: dir, log: opts.Log, tuning: tuning, run: rand.Text(), seed: maphash.MakeSeed()}
	if s.lock, err = lockDirectory(dir); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

// start prepares the directory. The process has its lock.
func (s *Store) start(ctx context.Context) error {
	if err := s.checkRestored(); err != nil {
		return err
	}
	for _, name := range []string{filesDir, sumsDir, journalDir, tmpDir} {
		if err := private.Directory(filepath.Join(s.dir, name)); err != nil {
			return refused(err)
		}
	}
	if err := s.checkOwner(); err != nil {
		return err
	}

	var err error
	if s.tmp, err = os.Open(filepath.Join(s.dir, tmpDir)); err != nil {
		return s.unusable(err)
	}
	logs, err := os.Open(filepath.Join(s.dir, journalDir))
	if err != nil {
		return s.unusable(err)
	}
	s.journal = &journal{dir: logs, at: s.at}
	if err := s.syncEntries(); err != nil {
		return s.unusable(err)
	}

	if err := s.recover(ctx); err != nil {
		return err
	}
	if err := s.clearTmp(); err != nil {
		return err
	}
	return s.convert(ctx)
}

// syncEntries makes new directories durable, before the first write.
func (s *Store) syncEntries() error {
	if err := syncDir(s.dir); err != nil {
		return err
	}
	err := syncDir(filepath.Dir(s.dir))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) {
		// The service may not read the parent, or the parent's file system has no sync of
		// directories. A parent in another file system is not the service's to sync.
		return unix.Syncfs(int(s.lock.Fd()))
	}
	return err
}

// clearTmp deletes the files in tmp/ that an earlier process left.
func (s *Store) clearTmp() error {
	entries, err := os.ReadDir(s.tmp.Name())
	if err != nil {
		return s.unusable(err)
	}
	for _, entry := range entries {
		if err := os.Remove(filepath.Join(s.tmp.Name(), entry.Name())); err != nil {
			return s.unusable(err)
		}
	}
	return nil
}

// Close refuses further changes, waits for those that are in progress, makes a last
// checkpoint, and releases the lock. If Close fails, the journal remains, and the next
// Open applies it.
func (s *Store) Close() error {
	s.links.close()
	s.checkpoints.mu.Lock() // no checkpoint of a change starts after this
	s.closed.Store(true)
	s.checkpoints.mu.Unlock()
	s.active.Lock()   // a change checks closed after it has acquired this lock
	s.active.Unlock() //nolint:staticcheck // only the changes in progress are waited for
	s.checkpoints.running.Wait()
	if snap := s.snapshot.Load(); snap != nil {
		snap.end(s.refusal(errClosed))
	}

	var err error
	if s.failure.Load() == nil && s.journal.size() > 0 { // also no change in progress has failed
		err = s.makeCheckpoint()
	}
	s.release()
	return err
}

// errClosed is the reason why a store accepts no writes after Close.
var errClosed = errors.New("it is closed")

// release closes the files of the store and releases the lock.
func (s *Store) release() {
	if s.journal != nil {
		s.journal.dir.Close()
		if s.journal.current != nil {
			s.journal.current.file.Close()
		}
	}
	if s.tmp != nil {
		s.tmp.Close()
	}
	unlockDirectory(s.lock)
}

// Location returns the zero value: the objects of a directory have no s3:// address.
func (s *Store) Location() archive.Location { return archive.Location{} }

func (s *Store) objectFile(path string) string { return filepath.Join(s.dir, filesDir, path) }
func (s *Store) sumFile(path string) string    { return filepath.Join(s.dir, sumsDir, path) }

// newStaged returns the name of a new file in tmp/.
func (s *Store) newStaged() string {
	return s.run + "-" + strconv.FormatInt(s.staged.Add(1), 10)
}

func (s *Store) tmpFile(name string) string { return filepath.Join(s.dir, tmpDir, name) }

func (s *Store) keyLock(path string) *keyLock {
	return &s.keys[maphash.String(s.seed, path)%lockCount]
}

// fail records that the state of the directory is unclear, so that no further write is
// accepted.
func (s *Store) fail(err error) {
	if s.failure.CompareAndSwap(nil, &err) {
		s.log.Error("the archive accepts no more writes until the service is restarted", "directory", s.dir, "error", err)
	}
}

// failed returns the error that fail recorded, errClosed, or nil.
func (s *Store) failed() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	if s.closed.Load() {
		return errClosed
	}
	return nil
}

// What a call does, for messages.
const (
	doingRead   = "failed to read"
	doingWrite  = "failed to write"
	doingDelete = "failed to delete"
	doingList   = "failed to list"
)

// unavailable returns the fault for an error of the operating system or of a context.
func (s *Store) unavailable(err error, doing, key string) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "the archive (directory %s) %s %s: %s", s.dir, doing, key, hint(err))
}

// hint returns the reason for an error, and what to do about it if that is known.
func hint(err error) string {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "no time is left"
	case errors.Is(err, syscall.ENOSPC):
		return archive.HintNoSpace
	case errors.Is(err, syscall.EDQUOT):
		return archive.HintQuota
	case errors.As(err, &path):
		return path.Err.Error()
	case errors.As(err, &link):
		return link.Err.Error()
	}
	return err.Error()
}

// unusable returns the fault for a directory that cannot be opened. The code is
// Unavailable if a later start may succeed with the same configuration.
func (s *Store) unusable(err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	if mayPass(err) {
		return fault.Wrap(err, fault.Unavailable, "the data directory %s cannot be used now: %s", s.dir, hint(err))
	}
	return fault.Wrap(err, fault.Invalid, "the data directory %s cannot be used: %v", s.dir, err)
}

// mayPass reports whether err does not mean that the configuration is wrong.
func mayPass(err error) bool {
	return fault.IsShortage(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
