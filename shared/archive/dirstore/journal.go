package dirstore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// journal appends records to the newest segment, a file in the directory journal/.
type journal struct {
	dir *os.File // journal/
	at  func(point string)

	mu      sync.Mutex
	current *segment // nil before the first record
	number  int      // the number of the newest segment
}

// segment is a file of the journal.
type segment struct {
	file *os.File

	mu   sync.Mutex
	size int64 // the size of the complete records, in bytes

	syncing sync.Mutex
	synced  int64 // the records up to here are durable
	// failure is the error of a failed sync, and the result of all later ones: the kernel
	// reports a failed write only once, so a repeated sync would succeed without the data.
	failure error
}

// append appends a record to the current segment, which it creates if there is none. It
// returns the position after the record, for sync. After an error, the segment has only
// the records from before the call. unclear is true if it may also have a part of this
// record.
func (j *journal) append(r record) (seg *segment, end int64, unclear bool, err error) {
	encoded, err := r.encode()
	if err != nil {
		return nil, 0, false, err
	}
	seg, err = j.open()
	if err != nil {
		return nil, 0, false, err
	}

	j.at("append")
	seg.mu.Lock()
	defer seg.mu.Unlock()
	if _, err := seg.file.WriteAt(encoded, seg.size); err != nil {
		// A part of the record must not remain: the next record may be shorter.
		return nil, 0, seg.file.Truncate(seg.size) != nil, err
	}
	seg.size += int64(len(encoded))
	return seg, seg.size, false, nil
}

// open returns the current segment. The entry of a new segment in its directory is
// durable when open returns.
func (j *journal) open() (*segment, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.current != nil {
		return j.current, nil
	}

	path := j.path(j.number + 1)
	file, err := createFile(path)
	if err != nil {
		return nil, err
	}
	if err := j.dir.Sync(); err != nil {
		file.Close()
		_ = os.Remove(path)
		return nil, err
	}
	j.number++
	j.current = &segment{file: file}
	return j.current, nil
}

// sync makes all records up to end durable. Concurrent calls share the system call.
func (j *journal) sync(seg *segment, end int64) error {
	seg.syncing.Lock()
	defer seg.syncing.Unlock()
	if seg.synced >= end {
		return nil
	}
	if seg.failure != nil {
		return seg.failure
	}
	seg.mu.Lock()
	size := seg.size
	seg.mu.Unlock()

	j.at("sync")
	if seg.failure = unix.Fdatasync(int(seg.file.Fd())); seg.failure != nil {
		return seg.failure
	}
	j.at("synced")
	seg.synced = size
	return nil
}

// size returns the size of the current segment.
func (j *journal) size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.current == nil {
		return 0
	}
	j.current.mu.Lock()
	defer j.current.mu.Unlock()
	return j.current.size
}

// rotate closes the current segment after it was synced. The next record begins a new
// segment. No other call may be in progress.
func (j *journal) rotate() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.current == nil {
		return nil
	}
	// The records of the next segment must not be durable before those of this one.
	if err := j.sync(j.current, j.current.size); err != nil {
		return err
	}
	j.current.file.Close()
	j.current = nil
	return nil
}

// segments returns the numbers of all segments in ascending order.
func (j *journal) segments() ([]int, error) {
	entries, err := os.ReadDir(j.dir.Name())
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, entry := range entries {
		name, isLog := strings.CutSuffix(entry.Name(), ".log")
		if n, err := strconv.Atoi(name); isLog && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (j *journal) path(number int) string {
	return filepath.Join(j.dir.Name(), fmt.Sprintf("%08d.log", number))
}

// remove deletes the segments up to a number, the oldest first. Each deletion is durable
// before the next: a segment that exists again after a loss of power must not be applied
// without the segments after it.
func (j *journal) remove(upTo int) error {
	numbers, err := j.segments()
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if n > upTo {
			break
		}
		if err := os.Remove(j.path(n)); err != nil {
			return err
		}
		j.at("segment removed")
		if err := j.dir.Sync(); err != nil {
			return err
		}
	}
	return nil
}
