//go:build !unit

package s3_test

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"ace/infra/testkit/minio"
	"ace/shared/archive"
	"ace/shared/archive/s3"
	"ace/shared/archive/storetest"
	"ace/shared/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore_KeepsTheContractOnMinIO(t *testing.T) {
	t.Parallel()
	server := minio.Start(t)
	storetest.Run(t, func(t *testing.T) archive.Store { return server.Store(t) })

	t.Run("the probe accepts it", func(t *testing.T) {
		store := server.Store(t)
		if err := archive.Probe(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		wantNoKeys(t, store)
	})
	t.Run("a prefix is invisible", func(t *testing.T) { prefixIsInvisible(t, server) })
	t.Run("a missing bucket is named", func(t *testing.T) { missingBucketIsNamed(t, server) })
	t.Run("wrong credentials are not shown", func(t *testing.T) { wrongCredentials(t, server) })
	t.Run("a bucket may exist already", func(t *testing.T) {
		for range 2 {
			if err := s3.EnsureBucket(t.Context(), server.Options("twice")); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func wantNoKeys(t *testing.T, store archive.Store) {
	t.Helper()
	err := store.List(t.Context(), "", "", func(info archive.Info) bool {
		t.Errorf("%s was not removed", info.Key)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
}

func prefixIsInvisible(t *testing.T, server *minio.Server) {
	opts := server.Options("shared")
	if err := s3.EnsureBucket(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	whole := openStore(t, opts)
	opts.Prefix = "team/a"
	team := openStore(t, opts)

	if _, err := team.Put(t.Context(), "open/x", "", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if _, err := whole.Put(t.Context(), "team/ab", "", []byte("of another team")); err != nil {
		t.Fatal(err)
	}
	for store, want := range map[*s3.Store]string{team: "open/x", whole: "team/a/open/x team/ab"} {
		var keys []string
		err := store.List(t.Context(), "", "", func(info archive.Info) bool {
			keys = append(keys, info.Key)
			return true
		})
		if got := strings.Join(keys, " "); err != nil || got != want {
			t.Errorf("listed %q, %v; want %q", got, err, want)
		}
	}
	if info, err := team.Stat(t.Context(), "open/x"); err != nil || info.Key != "open/x" {
		t.Errorf("Stat gave %+v, %v", info, err)
	}
}

func missingBucketIsNamed(t *testing.T, server *minio.Server) {
	opts := server.Options("absent")
	_, err := s3.Open(t.Context(), opts)
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.PublicMessage(err), "bucket absent at "+opts.Endpoint) {
		t.Errorf("got %v, want Unavailable naming bucket and endpoint", err)
	}
}

func wrongCredentials(t *testing.T, server *minio.Server) {
	opts := server.Options("ready")
	opts.SecretKey = "hunter2hunter2"
	_, err := s3.Open(t.Context(), opts)
	if fault.CodeOf(err) != fault.Unavailable {
		t.Fatalf("got %v, want Unavailable", err)
	}
	for _, secret := range []string{opts.AccessKey, opts.SecretKey, "Signature="} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error repeats %q: %v", secret, err)
		}
	}
	if !strings.Contains(fault.PublicMessage(err), "the secret key does not belong to the access key, or a proxy changes the requests: check AWS_SECRET_ACCESS_KEY") {
		t.Errorf("the message does not say what is wrong: %s", fault.PublicMessage(err))
	}
}

func openStore(t *testing.T, opts s3.Options) *s3.Store {
	t.Helper()
	store, err := s3.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

func TestOpen_AnUnreachableStoreIsUnavailable(t *testing.T) {
	opts := s3.Options{Endpoint: "http://127.0.0.1:1", Region: "us-east-1", Bucket: "backups", AccessKey: "unknown-key", SecretKey: "hunter2hunter2"}
	_, err := s3.Open(t.Context(), opts)
	if fault.CodeOf(err) != fault.Unavailable || errors.Is(err, archive.ErrNotFound) {
		t.Errorf("got %v, want Unavailable", err)
	}
	if want := "the archive (bucket backups at http://127.0.0.1:1) cannot be opened: no connection (connect: connection refused): check the endpoint, and whether the store is running"; fault.PublicMessage(err) != want {
		t.Errorf("message %q, want %q", fault.PublicMessage(err), want)
	}
}
