package dirstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

// condition reports whether a write may replace the current version of an object. exists
// is false if there is none.
type condition func(current sum, exists bool) bool

func always(sum, bool) bool            { return true }
func ifAbsent(_ sum, exists bool) bool { return !exists }

// Put implements archive.Store.
func (s *Store) Put(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	return s.put(ctx, key, contentType, body, always)
}

// PutIfAbsent implements archive.Store.
func (s *Store) PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	return s.put(ctx, key, contentType, body, ifAbsent)
}

// PutIfMatch implements archive.Store.
func (s *Store) PutIfMatch(ctx context.Context, key, contentType string, body []byte, etag string) (archive.Info, error) {
	if err := archive.CheckMatch(key, etag); err != nil {
		return archive.Info{}, err
	}
	return s.put(ctx, key, contentType, body, func(current sum, exists bool) bool { return exists && current.hash == etag })
}

// put writes content that is in memory.
func (s *Store) put(ctx context.Context, key, contentType string, content []byte, may condition) (archive.Info, error) {
	hash := sha256.Sum256(content)
	c, err := s.newChange(ctx, key, sum{hash: hex.EncodeToString(hash[:]), contentType: contentType})
	if err != nil {
		return archive.Info{}, err
	}
	c.record.Size = int64(len(content))
	if len(content) <= s.inline {
		c.record.content = content
	}

	name, err := s.stage(content)
	if err == nil && len(content) > s.inline {
		c.record.Staged = name
		err = s.syncStaged(name)
	}
	if err != nil {
		s.discard(name)
		return archive.Info{}, s.unavailable(err, doingWrite, key)
	}
	return s.change(c, name, may)
}

// pending is a write that is not in the journal yet.
type pending struct {
	path   string
	record record
}

// newChange returns the change that writes an object. It fails if the store cannot accept
// the write.
func (s *Store) newChange(ctx context.Context, key string, written sum) (pending, error) {
	if err := ctx.Err(); err != nil {
		return pending{}, s.unavailable(err, doingWrite, key)
	}
	if err := s.Writable(); err != nil {
		return pending{}, err
	}
	path, err := PathOf(key)
	if err == nil {
		err = checkType(written.contentType)
	}
	return pending{path: path, record: record{Key: key, Hash: written.hash, Type: written.contentType}}, err
}

// Writable returns nil if the store accepts writes, or the error that a write would
// return because of an earlier failure.
func (s *Store) Writable() error {
	if err := s.failed(); err != nil {
		return s.refusal(err)
	}
	return nil
}

// refusal returns the error of a change after a failure.
func (s *Store) refusal(err error) error {
	return fault.Wrap(err, fault.Unavailable, "the archive (directory %s) accepts no more writes after an error (%s): "+
		"correct the cause and restart the service", s.dir, hint(err))
}

// stage writes a file to tmp/ and returns its name, also after an error.
func (s *Store) stage(content []byte) (string, error) {
	name := s.newStaged()
	s.at("stage")
	file, err := createFile(s.tmpFile(name))
	if err != nil {
		return name, err
	}
	_, err = file.Write(content)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return name, err
}

// syncStaged makes a file in tmp/ durable.
func (s *Store) syncStaged(name string) error {
	file, err := os.Open(s.tmpFile(name))
	if err != nil {
		return err
	}
	defer file.Close()
	s.at("sync staged")
	if err := file.Sync(); err != nil {
		return err
	}
	return s.tmp.Sync()
}

func (s *Store) discard(name string) { _ = os.Remove(s.tmpFile(name)) }

// change executes a write whose content is in the file in tmp/ with this name.
func (s *Store) change(c pending, name string, may condition) (archive.Info, error) {
	info, err := os.Lstat(s.tmpFile(name))
	if err != nil {
		return archive.Info{}, s.unavailable(err, doingWrite, c.record.Key)
	}
	c.record.Time = info.ModTime().UnixNano() // a recovery must not change the time of the object
	written := c.record.sum()
	sumName, err := s.stageSum(c.path, written)
	recorded := false
	if err == nil {
		recorded, err = s.commit(c, name, sumName, may)
	}
	if err != nil {
		if !recorded { // otherwise the next start may need the files
			s.discard(name)
			s.discard(sumName)
		}
		return archive.Info{}, s.unavailable(err, doingWrite, c.record.Key)
	}
	s.checkpointIfLarge()
	return archive.Info{
		Key: c.record.Key, Size: c.record.Size, ETag: written.hash, ContentType: written.contentType, Now: now(),
	}, nil
}

// commit checks the condition, makes the change durable in the journal, and applies it.
// After an error, recorded reports whether the journal may contain the change.
func (s *Store) commit(c pending, name, sumName string, may condition) (recorded bool, err error) {
	lock := s.keyLock(c.path)
	lock.change.Lock()
	defer lock.change.Unlock()

	current, exists, err := s.current(c.path)
	if err != nil {
		return false, err
	}
	if !may(current, exists) {
		return false, archive.ErrPrecondition
	}
	// The most likely errors of the last step are found before the record is written.
	if err := s.makeParents(c.path); err != nil {
		return false, err
	}

	s.active.RLock()
	defer s.active.RUnlock()
	if recorded, err = s.enter(c.record); err != nil {
		return recorded, err
	}
	err = s.replace(c.path, name, sumName)
	if err != nil && !isConflict(err) {
		s.fail(err)
	}
	return true, err
}

// isConflict reports whether an object could not be stored because its path is a
// directory, or a directory of its path is an object.
func isConflict(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, fs.ErrExist)
}

// current returns the sum of the current version. exists is false if there is no object.
// An object without a readable sum exists and has no hash.
func (s *Store) current(path string) (current sum, exists bool, err error) {
	info, err := os.Lstat(s.objectFile(path))
	switch {
	case isMissing(err):
		return sum{}, false, nil
	case err != nil:
		return sum{}, false, err
	case info.IsDir():
		return sum{}, false, fault.New(fault.Invalid, "the archive (directory %s) cannot have the object %s: there are objects below it", s.dir, path)
	}
	current, err = s.readSum(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && fault.CodeOf(err) != fault.Internal {
		return sum{}, false, err
	}
	return current, true, nil
}

// isMissing reports whether err means that no file has a path.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// enter appends a record to the journal and makes it durable. After an error, recorded
// reports whether the journal may contain the record. The caller has the lock active.
func (s *Store) enter(r record) (recorded bool, err error) {
	if err := s.Writable(); err != nil {
		return false, err
	}
	seg, end, unclear, err := s.journal.append(r)
	if err == nil {
		err = s.journal.sync(seg, end)
		unclear = err != nil
	}
	if unclear {
		s.fail(err)
	}
	return err == nil || unclear, err
}

// Delete implements archive.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return s.unavailable(err, doingDelete, key)
	}
	path, err := PathOf(key)
	if err != nil {
		return err
	}
	if err := s.delete(key, path); err != nil {
		return s.unavailable(err, doingDelete, key)
	}
	s.prune(path)
	s.checkpointIfLarge()
	return nil
}

func (s *Store) delete(key, path string) error {
	lock := s.keyLock(path)
	lock.change.Lock()
	defer lock.change.Unlock()
	info, err := os.Lstat(s.objectFile(path))
	if isMissing(err) || err == nil && info.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}

	s.active.RLock()
	defer s.active.RUnlock()
	// Without the record, a loss of power may leave one of the two files.
	if _, err := s.enter(record{Key: key, Delete: true}); err != nil {
		return err
	}
	if err := s.remove(path); err != nil {
		s.fail(err)
		return err
	}
	return nil
}

// now returns the store's clock.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }
