package dirstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ace/shared/archive"
	"ace/shared/backup"
	"ace/shared/fault"
	"ace/shared/private"
)

// restoringDir has the objects until all of them are verified.
const restoringDir = "restoring"

// Restored is what a backup has restored.
type Restored struct {
	backup.Manifest
	// Unfinished has the ids of the tasks that had not ended. They resume when the service
	// starts.
	Unfinished []string
}

// Restore restores a backup into a directory, which must be empty, not exist, or have
// only what a killed Restore has left. A backup that is not complete or is damaged is an
// error (Invalid) and leaves the directory empty, or absent. When Restore returns nil,
// the archive is durable. Restore has the lock of the directory meanwhile, so no service
// can start in it.
func Restore(ctx context.Context, dir string, in io.Reader) (Restored, error) {
	dir, err := private.Resolve(dir)
	if err != nil {
		return Restored{}, err
	}
	_, existed, err := Exists(dir)
	if err != nil {
		return Restored{}, err
	}
	if err := private.Directory(dir); err != nil {
		return Restored{}, err
	}
	if err := checkFree(dir); err != nil {
		return Restored{}, err
	}
	lock, err := lockDirectory(dir)
	if err != nil {
		return Restored{}, err
	}
	defer unlockDirectory(lock)
	if err := checkFree(dir); err != nil { // another process may have used it before it was locked
		return Restored{}, err
	}

	r := &restoration{ctx: ctx, dir: dir, lock: lock}
	if r.result.Manifest, err = r.run(in); err != nil {
		_ = os.RemoveAll(filepath.Join(dir, restoringDir))
		_ = os.Remove(filepath.Join(dir, lockFile))
		if !existed {
			_ = os.Remove(dir)
		}
		return Restored{}, err
	}
	return r.result, nil
}

// checkFree returns an error (Conflict) unless a directory is empty or has only what a
// killed Restore has left: the lock, restoringDir and, if that was moved already, the
// directory of the sums.
func checkFree(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fault.Wrap(err, fault.CodeOfFile(err), "the directory %s cannot be read: %s", dir, hint(err))
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	for _, left := range [][]string{nil, {lockFile}, {lockFile, restoringDir}, {lockFile, restoringDir, sumsDir}} {
		if slices.Equal(names, left) {
			return nil
		}
	}
	return fault.New(fault.Conflict, "the directory %s is not empty: restore into an empty or a new directory", dir)
}

// checkRestored returns an error if a Restore was killed before all objects were at their
// places.
func (s *Store) checkRestored() error {
	err := os.Remove(filepath.Join(s.dir, restoringDir)) // it is empty once they are
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist):
		return fault.New(fault.Invalid, "the data directory %s cannot be used: ace restore was interrupted in it; run ace restore again", s.dir)
	}
	return s.unusable(err)
}

// restoration is a call of Restore.
type restoration struct {
	ctx    context.Context //nolint:containedctx // a restoration belongs to one call
	dir    string
	lock   *os.File // of the directory
	result Restored
}

func (r *restoration) run(in io.Reader) (backup.Manifest, error) {
	for _, name := range []string{sumsDir, restoringDir} {
		if err := os.RemoveAll(filepath.Join(r.dir, name)); err != nil {
			return backup.Manifest{}, r.failed(err)
		}
	}
	for _, name := range []string{filesDir, sumsDir} {
		if err := os.MkdirAll(filepath.Join(r.dir, restoringDir, name), dirMode); err != nil {
			return backup.Manifest{}, r.failed(err)
		}
	}
	manifest, err := backup.Read(in, r.object)
	if err != nil {
		return manifest, err
	}
	return manifest, r.failed(r.publish())
}

// object writes the files of an object.
func (r *restoration) object(o backup.Object) error {
	if err := r.ctx.Err(); err != nil {
		return r.failed(err)
	}
	if name, isOpen := strings.CutPrefix(o.Path, archive.OpenPrefix); isOpen {
		if id, ok := unescape(name); ok {
			r.result.Unfinished = append(r.result.Unfinished, id)
		}
	}
	if o.Sum != nil {
		if err := r.write(sumsDir, o.Path, o.ModTime, strings.NewReader(string(o.Sum))); err != nil {
			return err
		}
	}
	return r.write(filesDir, o.Path, o.ModTime, o.Content)
}

func (r *restoration) write(kind, path string, modified time.Time, content io.Reader) error {
	name := filepath.Join(r.dir, restoringDir, kind, path)
	if err := os.MkdirAll(filepath.Dir(name), dirMode); err != nil {
		return r.failed(err)
	}
	file, err := createFile(name)
	if err != nil {
		return r.failed(err)
	}
	defer file.Close()
	source := &reading{in: content}
	if _, err := io.Copy(file, source); err != nil {
		if source.err != nil {
			return source.err // backup.Read explains it
		}
		return r.failed(err)
	}
	if err := file.Close(); err != nil {
		return r.failed(err)
	}
	return r.failed(os.Chtimes(name, modified, modified))
}

// reading notes the error of a reader, to distinguish it from that of the writer.
type reading struct {
	in  io.Reader
	err error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// publish makes the objects durable and moves them to their places. The contents follow
// their sums: without its content, an object does not exist.
func (r *restoration) publish() error {
	// The lock was opened before the first write, so Syncfs reports an error of any write.
	if err := unix.Syncfs(int(r.lock.Fd())); err != nil {
		return err
	}
	for _, name := range []string{sumsDir, filesDir} {
		if err := os.Rename(filepath.Join(r.dir, restoringDir, name), filepath.Join(r.dir, name)); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(r.dir, restoringDir)); err != nil {
		return err
	}
	return syncDir(r.dir)
}

// failed returns the fault for an error of the operating system or of the context, and
// nil for nil.
func (r *restoration) failed(err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(err, fault.CodeOfFile(err), "the backup cannot be restored to %s: %s", r.dir, hint(err))
}
