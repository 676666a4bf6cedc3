// Package storetest is the suite that any archive.Store must pass. It tests promises, not
// implementations: the test of a new store is a few lines that call Run.
package storetest

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"ace/shared/archive"
	"ace/shared/fault"
)

// partSize is the size of the parts in which package s3 uploads a stream. The suite has
// streams below, at and above this size.
const partSize = 5 << 20

// Run tests a store. newStore is called for each test and returns an empty store, which
// may be a prefix of a bucket. The tests run in parallel.
func Run(t *testing.T, newStore func(t *testing.T) archive.Store) {
	tests := []struct {
		name string
		run  func(t *testing.T, s archive.Store)
	}{
		{"a read sees the write before it", readSeesWrite},
		{"a missing object is not found", missingIsNotFound},
		{"an empty object is an object", emptyObject},
		{"a create refuses an existing object", createRefusesExisting},
		{"of racing creates one wins", racingCreates},
		{"a replacement refuses an outdated version", replaceRefusesOutdated},
		{"racing replacements lose no update", racingReplacements},
		{"concurrent creates and deletes succeed", createsDuringDeletes},
		{"a deleted object is gone", deletedIsGone},
		{"a range is a piece of one version", rangeOfVersion},
		{"a range refuses another version", rangeRefusesOtherVersion},
		{"a tail is the end of the newest version", tailOfNewestVersion},
		{"a call without a valid range or ETag is refused", invalidArguments},
		{"a stream of any size becomes an object", streamsOfAllSizes},
		{"a stream is invisible before commit", streamIsInvisible},
		{"an aborted stream leaves nothing", abortLeavesNothing},
		{"an abort works after its context has ended", abortAfterCancel},
		{"a stream ends once", streamEndsOnce},
		{"a stream refuses an existing object", streamRefusesExisting},
		{"of racing streams one wins", racingStreams},
		{"a listing is in the order of bytes", listingOrder},
		{"a listing begins after a key", listingAfter},
		{"a listing ends when its function returns false", listingEnds},
		{"a listing goes over pages", listingPages},
		{"a listing shows objects only while they are replaced", listingDuringReplacement},
		{"keys may have any characters", anyCharacters},
		{"a presigned link downloads without credentials", presignedDownload},
		{"a presigned link uploads without credentials", presignedUpload},
		{"a presigned link has a limited life", presignLimits},
		{"a cancelled call is not a missing object", cancelledCall},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t, newStore(t))
		})
	}
}

const contentType = "application/x-test"

func put(t *testing.T, s archive.Store, key, body string) archive.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, contentType, []byte(body))
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	return info
}

func read(t *testing.T, s archive.Store, key string) string {
	t.Helper()
	obj, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%q): %v", key, err)
	}
	return readBody(t, obj)
}

func readBody(t *testing.T, obj archive.Object) string {
	t.Helper()
	defer obj.Body.Close()
	body, err := io.ReadAll(obj.Body)
	if err != nil {
		t.Fatalf("reading %q: %v", obj.Key, err)
	}
	return string(body)
}

func keys(t *testing.T, s archive.Store, prefix, after string) []string {
	t.Helper()
	var got []string
	err := s.List(t.Context(), prefix, after, func(info archive.Info) bool {
		got = append(got, info.Key)
		return true
	})
	if err != nil {
		t.Fatalf("List(%q, %q): %v", prefix, after, err)
	}
	return got
}

func wantKeys(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
}

func wantNotFound(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
}

func wantPrecondition(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, archive.ErrPrecondition) {
		t.Errorf("got error %v, want ErrPrecondition", err)
	}
}

func cancelledCall(t *testing.T, s archive.Store) {
	put(t, s, "a", "1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, getErr := s.Get(ctx, "a")
	_, putErr := s.PutIfAbsent(ctx, "b", contentType, nil)
	listErr := s.List(ctx, "", "", func(archive.Info) bool { return true })
	for call, err := range map[string]error{"Get": getErr, "PutIfAbsent": putErr, "List": listErr} {
		if fault.CodeOf(err) != fault.Unavailable || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want Unavailable because of the cancelled context", call, err)
		}
	}
	wantKeys(t, keys(t, s, "", ""), []string{"a"})
}
