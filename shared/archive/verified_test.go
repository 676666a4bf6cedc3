package archive_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"ace/infra/testkit/faulty"
	"ace/shared/archive"
	"ace/shared/fault"
)

const large = 9 << 20 // larger than verifyAtOnce

func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func TestOpenVerified_ReadsAnUndamagedObjectLikeAFile(t *testing.T) {
	small := []byte(strings.Repeat("0123456789", 100))
	store, info := stored(t, small)
	r, err := archive.OpenVerified(t.Context(), store, info, sumOf(small))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := iotest.TestReader(r, small); err != nil {
		t.Error(err)
	}
}

func TestOpenVerified_ReadsALargeObjectFromAnyOffset(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcde\n"), large/16)
	store, info := stored(t, body)
	r, err := archive.OpenVerified(t.Context(), store, info, sumOf(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if store.Count(faulty.GetRange, "") > 0 {
		t.Error("a large object is read when it is opened")
	}
	if got, err := io.ReadAll(io.LimitReader(r, 1000)); err != nil || !bytes.Equal(got, body[:1000]) {
		t.Fatalf("the beginning is %.20q, %v", got, err)
	}
	for _, offset := range []int64{0, 5, large - 3, 0, large} {
		if _, err := r.Seek(offset, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body[offset:]) {
			t.Errorf("from %d come %d bytes, %v", offset, len(got), err)
		}
	}
}

func TestOpenVerified_NeverReturnsADamagedObjectCompletely(t *testing.T) {
	damaged := func(t *testing.T, size int) (archive.Store, archive.Info, string) {
		body := bytes.Repeat([]byte("x"), size)
		sum := sumOf(body)
		body[size/2] ^= 1
		store, info := stored(t, body)
		return store, info, sum
	}
	isDamage := func(t *testing.T, err error) {
		t.Helper()
		if fault.CodeOf(err) != fault.Internal || !strings.Contains(fault.PublicMessage(err), "td_1.json in the archive is damaged: its SHA-256 is") {
			t.Errorf("the error is %v", err)
		}
	}
	t.Run("a small one cannot be opened", func(t *testing.T) {
		store, info, sum := damaged(t, 1000)
		_, err := archive.OpenVerified(t.Context(), store, info, sum)
		isDamage(t, err)
	})
	t.Run("a large one lacks its end", func(t *testing.T) {
		store, info, sum := damaged(t, large)
		r, err := archive.OpenVerified(t.Context(), store, info, sum)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got, err := io.ReadAll(r)
		isDamage(t, err)
		if len(got) >= large {
			t.Error("all of it was given out")
		}
	})
	t.Run("a large one cannot be read from its middle", func(t *testing.T) {
		store, info, sum := damaged(t, large)
		r, err := archive.OpenVerified(t.Context(), store, info, sum)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		_, err = r.Seek(large-100, io.SeekStart)
		isDamage(t, err)
	})
}

func TestOpenVerified_DoesNotReportStoreErrorsAsDamage(t *testing.T) {
	store, info := stored(t, []byte("0123456789"))
	store.On(faulty.GetRange, "", faulty.Always(faulty.FailBefore))
	if _, err := archive.OpenVerified(t.Context(), store, info, "x"); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	store.Heal()
	if err := store.Delete(t.Context(), seekKey); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.OpenVerified(t.Context(), store, info, "x"); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("of a missing object: %v", err)
	}
}
