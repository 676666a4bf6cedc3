package archive_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/fault"
)

// ignoresAbsence creates over an existing object, like a server that does not support
// If-None-Match.
type ignoresAbsence struct{ archive.Store }

func (s ignoresAbsence) PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	return s.Put(ctx, key, contentType, body)
}

// ignoresMatch replaces any version, like a server that does not support If-Match.
type ignoresMatch struct{ archive.Store }

func (s ignoresMatch) PutIfMatch(ctx context.Context, key, contentType string, body []byte, _ string) (archive.Info, error) {
	return s.Put(ctx, key, contentType, body)
}

// refusesAll loses every race.
type refusesAll struct{ archive.Store }

func (refusesAll) PutIfAbsent(context.Context, string, string, []byte) (archive.Info, error) {
	return archive.Info{}, archive.ErrPrecondition
}

// refusesReplacement loses every replacement.
type refusesReplacement struct{ archive.Store }

func (refusesReplacement) PutIfMatch(context.Context, string, string, []byte, string) (archive.Info, error) {
	return archive.Info{}, archive.ErrPrecondition
}

// readsLate does not find what was just written.
type readsLate struct{ archive.Store }

func (readsLate) Get(context.Context, string) (archive.Object, error) {
	return archive.Object{}, archive.ErrNotFound
}

// deletesLate still has what was just deleted.
type deletesLate struct{ archive.Store }

func (deletesLate) Delete(context.Context, string) error { return nil }

func TestProbe_NamesThePromiseThatAStoreBreaks(t *testing.T) {
	real := memstore.New(t)
	tests := []struct {
		name  string
		store archive.Store
		says  string
	}{
		{"creates are not exclusive", ignoresAbsence{real}, "8 were accepted instead of exactly one"},
		{"creates never succeed", refusesAll{real}, "0 were accepted instead of exactly one"},
		{"updates can be lost", ignoresMatch{real}, "updates can be lost"},
		{"updates never succeed", refusesReplacement{real}, "newest version of an object was refused"},
		{"a write is not seen", readsLate{real}, "was not found directly after it was written"},
		{"a delete is not seen", deletesLate{real}, "still existed after it was deleted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := archive.Probe(t.Context(), tt.store)
			if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.PublicMessage(err), tt.says) {
				t.Errorf("got %v, want Unavailable saying %q", err, tt.says)
			}
		})
	}
	t.Run("an error of the store is not a broken promise", func(t *testing.T) {
		for _, op := range []faulty.Op{faulty.PutIfAbsent, faulty.Get, faulty.PutIfMatch, faulty.Delete, faulty.Stat} {
			broken := faulty.Wrap(real)
			broken.On(op, archive.ProbePrefix, faulty.First(1, faulty.FailBefore))
			err := archive.Probe(t.Context(), broken)
			if err == nil || strings.Contains(err.Error(), "cannot be used as the archive") {
				t.Errorf("%s fails: got %v, want the error of the store", op, err)
			}
		}
	})
	t.Run("nothing is left behind", func(t *testing.T) {
		fresh := memstore.New(t)
		if err := archive.Probe(t.Context(), ignoresMatch{fresh}); err == nil {
			t.Error("a broken store was accepted")
		}
		err := fresh.List(t.Context(), "", "", func(info archive.Info) bool {
			t.Errorf("%s was not removed", info.Key)
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// later is a store whose clock is ahead by the time by, but only in the results of Stat.
// If onlyDate is set, only the Date of the response is ahead.
type later struct {
	archive.Store
	by       time.Duration
	onlyDate bool
}

func (s later) Stat(ctx context.Context, key string) (archive.Info, error) {
	info, err := s.Store.Stat(ctx, key)
	info.Now = info.Now.Add(s.by)
	if !s.onlyDate {
		info.LastModified = info.LastModified.Add(s.by)
	}
	return info, err
}

// A killed process leaves the object of its probe. A later probe deletes the object, but
// not one that another process may be probing with, even if a clock jumps by hours.
func TestProbe_DeletesTheObjectsOfKilledProcesses(t *testing.T) {
	for _, tt := range []struct {
		by       time.Duration
		onlyDate bool
		wanted   int
	}{{time.Minute, false, 1}, {12 * time.Hour, false, 1}, {72 * time.Hour, true, 1}, {72 * time.Hour, false, 0}} {
		store := memstore.New(t)
		if _, err := store.Put(t.Context(), archive.ProbePrefix+"left", "text/plain", []byte("a")); err != nil {
			t.Fatal(err)
		}
		if err := archive.Probe(t.Context(), later{store, tt.by, tt.onlyDate}); err != nil {
			t.Fatal(err)
		}
		found := 0
		err := store.List(t.Context(), archive.ProbePrefix, "", func(archive.Info) bool { found++; return true })
		if err != nil || found != tt.wanted {
			t.Errorf("%s later, %d objects are left, %v; want %d", tt.by, found, err, tt.wanted)
		}
	}
}
