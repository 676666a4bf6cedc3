package archive_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/fault"
)

const seekKey = "diffs/2024-03-15/td_1.json"

// stored puts an object and counts the requests that read it.
func stored(t *testing.T, body []byte) (*faulty.Store, archive.Info) {
	t.Helper()
	store := faulty.Wrap(memstore.New(t))
	info, err := store.Put(t.Context(), seekKey, "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	return store, info
}

func TestOpen_ReadsAndSeeksLikeAFile(t *testing.T) {
	body := make([]byte, 5000)
	for i := range body {
		body[i] = byte(i * 7)
	}
	store, info := stored(t, body)
	r := archive.Open(t.Context(), store, info)
	defer r.Close()
	if store.Count(faulty.GetRange, "") != 0 {
		t.Error("something was fetched before the first read")
	}
	if err := iotest.TestReader(r, body); err != nil {
		t.Error(err)
	}
}

func TestOpen_BehavesLikeAByteReaderForAnyReadsAndSeeks(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 30)
	store, info := stored(t, body)
	rapid.Check(t, func(rt *rapid.T) {
		r := archive.Open(t.Context(), store, info)
		defer r.Close()
		want := bytes.NewReader(body)
		for range rapid.IntRange(1, 6).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "seek") {
				offset, whence := rapid.Int64Range(-400, 400).Draw(rt, "offset"), rapid.IntRange(0, 2).Draw(rt, "whence")
				at, err := r.Seek(offset, whence)
				wantAt, wantErr := want.Seek(offset, whence)
				if (err == nil) != (wantErr == nil) || err == nil && at != wantAt {
					rt.Fatalf("Seek(%d, %d) returns %d, %v; want %d, %v", offset, whence, at, err, wantAt, wantErr)
				}
				continue
			}
			size := rapid.IntRange(1, 400).Draw(rt, "size")
			got, err := readUpTo(r, size)
			wanted, wantErr := readUpTo(want, size)
			if !bytes.Equal(got, wanted) || !errors.Is(err, wantErr) {
				rt.Fatalf("%d bytes are %q, %v; want %q, %v", size, got, err, wanted, wantErr)
			}
		}
	})
}

func readUpTo(r io.Reader, size int) ([]byte, error) {
	p := make([]byte, size)
	n, err := io.ReadFull(r, p)
	return p[:n], err
}

func TestOpen_FetchesOnceForOnePassAndOnceMoreForASeekThatMoves(t *testing.T) {
	store, info := stored(t, []byte("0123456789"))
	r := archive.Open(t.Context(), store, info)
	defer r.Close()
	if _, err := readUpTo(r, 4); err != nil {
		t.Fatal(err)
	}
	if at, err := r.Seek(0, io.SeekCurrent); at != 4 || err != nil {
		t.Errorf("the offset is %d, error %v; want 4", at, err)
	}
	if rest, err := io.ReadAll(r); string(rest) != "456789" || err != nil {
		t.Errorf("the rest is %q, error %v", rest, err)
	}
	if n := store.Count(faulty.GetRange, ""); n != 1 {
		t.Errorf("%d fetches for one pass, want 1", n)
	}
	if _, err := r.Seek(-2, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(r); string(rest) != "89" || err != nil {
		t.Errorf("the end is %q, error %v", rest, err)
	}
	if n := store.Count(faulty.GetRange, ""); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
}

func TestOpen_AnotherVersionIsAnErrorAndNeverAMixture(t *testing.T) {
	store, info := stored(t, []byte("0123456789"))
	if _, err := store.Put(t.Context(), seekKey, "application/json", []byte("abcdefghij")); err != nil {
		t.Fatal(err)
	}
	r := archive.Open(t.Context(), store, info)
	defer r.Close()
	if got, err := io.ReadAll(r); !errors.Is(err, archive.ErrPrecondition) || len(got) != 0 {
		t.Errorf("read %q, error %v; want ErrPrecondition", got, err)
	}
}

func TestOpen_AnObjectThatBecameShorterIsAnError(t *testing.T) {
	store, info := stored(t, []byte("0123456789"))
	info.Size = 12
	r := archive.Open(t.Context(), store, info)
	defer r.Close()
	if got, err := io.ReadAll(r); !errors.Is(err, io.ErrUnexpectedEOF) || string(got) != "0123456789" {
		t.Errorf("read %q, error %v; want an unexpected end", got, err)
	}
}

func TestOpen_ReturnsTheErrorsOfTheStore(t *testing.T) {
	store, info := stored(t, []byte("0123456789"))
	store.On(faulty.GetRange, "", faulty.First(1, faulty.FailBefore))
	r := archive.Open(t.Context(), store, info)
	defer r.Close()
	if _, err := readUpTo(r, 4); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
	if got, err := io.ReadAll(r); string(got) != "0123456789" || err != nil {
		t.Errorf("after that %q, error %v; want all of it", got, err)
	}
	if _, err := r.Seek(0, 3); err == nil {
		t.Error("a whence of 3 returns no error")
	}
}
