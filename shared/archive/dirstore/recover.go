package dirstore

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ace/shared/fault"
)

// checkpoints runs at most one checkpoint at a time.
type checkpoints struct {
	mu      sync.Mutex
	busy    bool
	running sync.WaitGroup
}

// checkpointIfLarge starts a checkpoint if the journal is large and none is in progress.
func (s *Store) checkpointIfLarge() {
	c := &s.checkpoints
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy || s.failed() != nil || s.journal.size() < s.checkpoint {
		return
	}
	c.busy = true
	c.running.Go(func() {
		_ = s.makeCheckpoint() // the store has recorded the error
		c.mu.Lock()
		defer c.mu.Unlock()
		c.busy = false
	})
}

// makeCheckpoint makes everything durable that was applied, and deletes the journal.
// Changes continue meanwhile, in a new segment.
func (s *Store) makeCheckpoint() error {
	s.active.Lock() // all records have been applied
	number := s.journal.number
	err := s.journal.rotate()
	s.active.Unlock()

	if err == nil {
		err = s.flush(number)
	}
	if err != nil {
		// The kernel reports a failed write only once, so a later sync proves nothing.
		s.fail(err)
	}
	return err
}

// flush makes files/ and sums/ durable and then deletes the segments up to a number.
func (s *Store) flush(number int) error {
	s.at("flush")
	if err := unix.Syncfs(int(s.lock.Fd())); err != nil {
		return err
	}
	s.at("flushed")
	return s.journal.remove(number)
}

// recover applies the changes in the journal that an earlier process left. It can be
// interrupted and repeated.
func (s *Store) recover(ctx context.Context) error {
	numbers, err := s.journal.segments()
	if err != nil {
		return s.unusable(err)
	}
	if len(numbers) == 0 {
		return nil
	}

	last := map[string]record{} // the last change of each key, which decides what exists
	for i, number := range numbers {
		if err := s.readSegment(ctx, number, i == len(numbers)-1, last); err != nil {
			return err
		}
	}
	// Deletions come first: a directory may have the path of a deleted object, or an object
	// that of a directory whose objects were deleted.
	for _, deletions := range []bool{true, false} {
		for _, r := range last {
			if err := ctx.Err(); err != nil {
				return s.unavailable(err, doingWrite, r.Key)
			}
			if r.Delete != deletions {
				continue
			}
			if err := s.apply(r); err != nil {
				return s.unusable(err)
			}
		}
	}

	s.journal.number = numbers[len(numbers)-1]
	if err := s.flush(s.journal.number); err != nil {
		return s.unusable(err)
	}
	s.log.InfoContext(ctx, "the journal of the archive was applied", "directory", s.dir, "objects", len(last))
	return nil
}

// readSegment adds the records of a segment to last. Only the last segment may end with
// an incomplete record: a write that was in progress when the process ended.
func (s *Store) readSegment(ctx context.Context, number int, isLast bool, last map[string]record) error {
	file, err := os.Open(s.journal.path(number))
	if err != nil {
		return s.unusable(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return s.unusable(err)
	}

	in := bufio.NewReaderSize(file, 1<<20)
	for read := int64(0); ; {
		r, size, ok, err := readRecord(in)
		if err != nil {
			return s.unusable(err)
		}
		if read += size; ok {
			last[r.Key] = r
			continue
		}
		if left := info.Size() - read; left > 0 {
			if !isLast {
				return fault.New(fault.Internal, "the archive (directory %s) is damaged: %s has no record at byte %d", s.dir, file.Name(), read)
			}
			s.log.WarnContext(ctx, "the journal of the archive ends with an incomplete write", "directory", s.dir, "bytes", left)
		}
		return nil
	}
}

// apply makes a change that may have been applied before, completely or in part.
func (s *Store) apply(r record) error {
	path, err := PathOf(r.Key)
	if err != nil {
		return err
	}
	if r.Delete {
		err := s.remove(path)
		s.prune(path)
		return err
	}
	if r.Staged != "" {
		return s.applyStaged(r, path)
	}
	hash := sha256.Sum256(r.content)
	if hex.EncodeToString(hash[:]) != r.Hash {
		return fault.New(fault.Internal, "the archive (directory %s) is damaged: the journal has other content of %s than was written", s.dir, r.Key)
	}
	// The files are written again even if they look right. After a failed sync, the kernel
	// may have pages in memory that are not on the disk, and reports no error again.
	name, err := s.stage(r.content)
	if err != nil {
		return err
	}
	return s.applyContent(r, path, name)
}

// applyStaged applies a write whose content is in tmp/, or in its place already.
func (s *Store) applyStaged(r record, path string) error {
	name := r.Staged
	if _, err := os.Lstat(s.tmpFile(name)); err == nil {
		return s.applyContent(r, path, name)
	}
	info, err := os.Lstat(s.objectFile(path))
	if err != nil || info.Size() != r.Size {
		s.log.Error("the archive is damaged: the content of an object is missing", "directory", s.dir, "key", r.Key, "error", err)
	}
	if err != nil {
		return nil //nolint:nilerr // it is logged, and the other objects can be used
	}
	// An older version does not match the sum, so that it is not read as the newest.
	return s.replaceSum(path, r.sum()) // a loss of power may have left only one of the two files
}

// applyContent replaces an object by the file in tmp/ with this name.
func (s *Store) applyContent(r record, path, name string) error {
	sumName, err := s.stageSum(path, r.sum())
	if err != nil {
		return err
	}
	modified := time.Unix(0, r.Time)
	if err := os.Chtimes(s.tmpFile(name), modified, modified); err != nil {
		return err
	}
	err = s.replace(path, name, sumName)
	if isConflict(err) { // the write returned this error, too
		s.log.Warn("a write in the journal of the archive cannot be applied", "directory", s.dir, "key", r.Key, "error", err)
		return nil
	}
	return err
}
