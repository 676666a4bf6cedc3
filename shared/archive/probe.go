package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"sync"
	"time"

	"ace/shared/fault"
)

const (
	probeRacers  = 8
	probeCleanup = 3 * time.Second
	// probeAge is much longer than a probe, and than any jump of a store's clock. So no
	// probe deletes the object of a probe that is running, which would make that probe
	// fail.
	probeAge  = 48 * time.Hour
	probeType = "text/plain"
)

// Probe checks that a store keeps the promises that tasks and leases rely on:
//
//   - Of concurrent creations of an object exactly one succeeds.
//   - The replacement of an outdated version is refused.
//   - A read sees the write before it.
//   - A deleted object disappears at once.
//
// Probe deletes the objects that it wrote below ProbePrefix, and those that probes of
// killed processes have left there. If the store breaks a promise, the error is a fault
// with code Unavailable that names the promise. If a call fails for another reason, Probe
// returns the error of the call.
func Probe(ctx context.Context, store Store) error {
	key := ProbePrefix + rand.Text()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeCleanup)
		defer cancel()
		_ = store.Delete(ctx, key) // A leftover is harmless: a later probe deletes it.
	}()
	created, err := probeRace(ctx, store, key)
	if err != nil {
		return err
	}
	if err := probeReplace(ctx, store, key, created); err != nil {
		return err
	}
	info, err := store.Stat(ctx, key)
	if err != nil {
		return err
	}
	if err := probeDelete(ctx, store, key); err != nil {
		return err
	}
	deleteAbandoned(ctx, store, info.LastModified)
	return nil
}

// deleteAbandoned deletes the objects of probes whose processes were killed. now is the
// time at which the store wrote the object of this probe. The Date of a response is not
// used, because a proxy may have set it by another clock. What cannot be deleted now is
// left for a later probe.
func deleteAbandoned(ctx context.Context, store Store, now time.Time) {
	var abandoned []string
	_ = store.List(ctx, ProbePrefix, "", func(info Info) bool {
		if now.Sub(info.LastModified) > probeAge {
			abandoned = append(abandoned, info.Key)
		}
		return true
	})
	for _, key := range abandoned {
		_ = store.Delete(ctx, key)
	}
}

// probeRace tries to create the same object several times concurrently. It checks that
// exactly one call succeeds, and returns the version that this call stored.
func probeRace(ctx context.Context, store Store, key string) (Info, error) {
	var (
		infos [probeRacers]Info
		errs  [probeRacers]error
		wg    sync.WaitGroup
	)
	for i := range probeRacers {
		wg.Go(func() { infos[i], errs[i] = store.PutIfAbsent(ctx, key, probeType, []byte{byte('a' + i)}) })
	}
	wg.Wait()

	winner, winners := 0, 0
	for i, err := range errs {
		switch {
		case err == nil:
			winner, winners = i, winners+1
		case !errors.Is(err, ErrPrecondition):
			return Info{}, err
		}
	}
	if winners != 1 {
		return Info{}, broken("of %d simultaneous creates of one object %d were accepted instead of exactly one",
			probeRacers, winners)
	}
	return infos[winner], probeRead(ctx, store, key, []byte{byte('a' + winner)}, infos[winner].ETag)
}

// probeReplace replaces the version just created, and then checks that the same, now
// outdated, version cannot be replaced again.
func probeReplace(ctx context.Context, store Store, key string, created Info) error {
	second := []byte("second version")
	replaced, err := store.PutIfMatch(ctx, key, probeType, second, created.ETag)
	if errors.Is(err, ErrPrecondition) {
		return broken("the replacement of the newest version of an object was refused")
	}
	if err != nil {
		return err
	}
	_, err = store.PutIfMatch(ctx, key, probeType, []byte("lost update"), created.ETag)
	if err == nil {
		return broken("the replacement of an outdated version of an object was accepted, so updates can be lost")
	}
	if !errors.Is(err, ErrPrecondition) {
		return err
	}
	return probeRead(ctx, store, key, second, replaced.ETag)
}

// probeDelete checks that a deleted object disappears at once.
func probeDelete(ctx context.Context, store Store, key string) error {
	if err := store.Delete(ctx, key); err != nil {
		return err
	}
	_, err := store.Stat(ctx, key)
	if err == nil {
		return broken("an object still existed after it was deleted")
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}

func probeRead(ctx context.Context, store Store, key string, want []byte, etag string) error {
	obj, err := store.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return broken("an object was not found directly after it was written")
	}
	if err != nil {
		return err
	}
	defer obj.Body.Close()
	got, err := io.ReadAll(obj.Body)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) || obj.ETag != etag {
		return broken("a read did not see the write before it")
	}
	return nil
}

func broken(what string, args ...any) error {
	return fault.New(fault.Unavailable, "the object store cannot be used as the archive: "+what, args...)
}
