package dirstore

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
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

// Restore restores a backup into a directory, which must be empty or not exist. A backup
// that is not complete or is damaged is an error (Invalid) and leaves the directory as it
// was. When Restore returns nil, the archive is durable. Restore has the lock of the
// directory meanwhile, so no service can start in it.
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
	if !isEmpty(dir) {
		return Restored{}, notEmpty(dir)
	}
	lock, err := lockDirectory(dir)
	if err != nil {
		return Restored{}, err
	}
	defer unlockDirectory(lock)
	// Another process may have used the directory before it was locked.
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 1 {
		return Restored{}, notEmpty(dir)
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

func notEmpty(dir string) error {
	return fault.New(fault.Conflict, "the directory %s is not empty: restore into an empty or a new directory", dir)
}

// restoration is a call of Restore.
type restoration struct {
	ctx    context.Context //nolint:containedctx // a restoration belongs to one call
	dir    string
	lock   *os.File // of the directory
	result Restored
}

func (r *restoration) run(in io.Reader) (backup.Manifest, error) {
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
