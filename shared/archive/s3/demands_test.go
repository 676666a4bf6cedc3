//go:build !unit

package s3_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ace/infra/testkit/minio"
	"ace/shared/archive"
	"ace/shared/archive/s3"
)

// demandChecksums refuses writes without a checksum, as AWS does if the bucket has a
// default retention (Object Lock).
func demandChecksums(next http.Handler, written *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			next.ServeHTTP(w, r)
			return
		}
		checksum := r.Header.Get("Content-Md5")
		for name := range r.Header {
			if strings.HasPrefix(name, "X-Amz-Checksum-") {
				checksum = name
			}
		}
		if checksum == "" {
			turnAway(w, r, http.StatusBadRequest, "InvalidRequest")
			return
		}
		written.Add(1)
		next.ServeHTTP(w, r)
	})
}

// Case O-F8b, see docs/RELIABILITY.md.
func everyWriteHasAChecksum(t *testing.T, server *minio.Server) {
	var written atomic.Int64
	store, proxy, _ := startTroubled(t, server)
	proxy.forward = demandChecksums(proxy.forward, &written)

	if err := archive.Probe(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	info, err := store.Put(t.Context(), "put", "", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.PutIfMatch(t.Context(), "put", "", []byte("2"), info.ETag); err != nil {
		t.Error(err)
	}
	if _, err := store.PutIfAbsent(t.Context(), "new", "", nil); err != nil {
		t.Error(err)
	}

	before := written.Load()
	for key, size := range map[string]int{"small": 1000, "large": 2*s3.PartSize + 1000} {
		w, err := store.Create(t.Context(), key, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, strings.NewReader(strings.Repeat("x", size))); err != nil {
			t.Error(err)
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := written.Load() - before; got != 4 {
		t.Errorf("%d writes, want 1 and 3 parts", got)
	}
}

// The credentials in the file expire, and are replaced a moment later.
func replacedCredentialsAreUsed(t *testing.T, server *minio.Server) {
	opts := server.Options("ready")
	file := filepath.Join(t.TempDir(), "credentials")
	key := opts.AccessKey
	login := func(secret string) {
		t.Helper()
		text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", key, secret)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	right := opts.SecretKey
	login(right)
	opts.AccessKey, opts.SecretKey = "", ""
	var proxy *troubledProxy
	proxy, opts.Endpoint = startProxy(t, server)
	store := openStore(t, opts)
	put := func() error {
		_, err := store.Put(t.Context(), "key", "", nil)
		return err
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}

	login("expired")
	proxy.spoil(http.MethodGet, "key", expired, 1)
	for range 2 { // the first read is refused by the proxy, the second by MinIO
		if _, err := store.Get(t.Context(), "key"); err == nil {
			t.Error("the refused read succeeded")
		}
	}
	login(right)
	if err := put(); err != nil {
		t.Error(err)
	}
}
