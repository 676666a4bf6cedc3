//go:build !unit

package s3_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/minio"
	"ace/shared/archive"
)

// A bucket that encrypts with a KMS key by default needs no header: every kind of write
// is encrypted. Conditions, ranges and links work as without encryption.
func TestStore_WorksInABucketThatEncryptsWithAKMSKey(t *testing.T) {
	t.Parallel()
	server := minio.StartEncrypted(t)
	store := server.Store(t)
	if err := archive.Probe(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	info, err := store.Put(t.Context(), "put", "", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.PutIfMatch(t.Context(), "put", "", []byte("2"), info.ETag); err != nil {
		t.Fatal(err)
	}
	if _, err := store.PutIfAbsent(t.Context(), "new", "", nil); err != nil {
		t.Fatal(err)
	}
	w, err := store.Create(t.Context(), "stream", "")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write([]byte(strings.Repeat("x", 11<<20))); err != nil { // several parts
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.PutIfMatch(t.Context(), "put", "", []byte("3"), info.ETag); !errors.Is(err, archive.ErrPrecondition) {
		t.Errorf("a replacement of an outdated version returns %v", err)
	}
	stat, err := store.Stat(t.Context(), "stream")
	if err != nil {
		t.Fatal(err)
	}
	piece, err := store.GetRange(t.Context(), "stream", stat.ETag, 6<<20, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer piece.Body.Close()
	if body, err := io.ReadAll(piece.Body); string(body) != "xxx" || err != nil {
		t.Errorf("the range is %q, error %v", body, err)
	}
	link, err := store.Presign(t.Context(), "put", "attachment", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); string(body) != "2" || err != nil {
		t.Errorf("the link downloads %q, status %d, error %v", body, response.StatusCode, err)
	}

	for _, key := range []string{"put", "new", "stream"} {
		if got, err := server.Encryption(t.Context(), store, key); got != "aws:kms" || err != nil {
			t.Errorf("the object %s is encrypted by %q, error %v", key, got, err)
		}
	}
}
