package dirstore

import (
	"context"
	"os"
)

// Inline is the maximum size of content that a store of OpenWith writes to the journal.
const Inline = 1 << 10

// OpenWith is Open with a function that is called at each point where a test may stop the
// store, with a small limit for content in the journal, and with a checkpoint whenever
// the journal has this many bytes (checkpoint).
func OpenWith(ctx context.Context, opts Options, checkpoint int64, at func(point string)) (*Store, error) {
	return open(ctx, opts, tuning{at: at, inline: Inline, checkpoint: checkpoint})
}

// Checkpoint makes a checkpoint.
func (s *Store) Checkpoint() error { return s.makeCheckpoint() }

// AwaitCheckpoint waits until no checkpoint is in progress.
func (s *Store) AwaitCheckpoint() { s.checkpoints.running.Wait() }

// JournalFile returns the descriptor of the current segment, and the size of its records.
func (s *Store) JournalFile() (fd int, size int64) {
	return int(s.journal.current.file.Fd()), s.journal.size()
}

// BreakJournal makes all further writes to the journal fail.
func (s *Store) BreakJournal() { s.journal.current.file.Close() }

// Unescape returns the segment of a key that has a name.
func Unescape(name string) (string, bool) { return unescape(name) }

// UnusableBecause returns the error of Open for an error that the operating system
// reports for a path.
func UnusableBecause(err error) error {
	return (&Store{dir: "/data"}).unusable(&os.PathError{Op: "open", Path: "/data/tmp/a", Err: err})
}

// VerifyAtOnce is the size up to which content is verified before it is returned.
const VerifyAtOnce = verifyAtOnce

// EndSnapshot closes the current snapshot.
func (s *Store) EndSnapshot() { s.snapshot.Load().Close() }
