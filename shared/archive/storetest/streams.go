package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"ace/shared/archive"
	"ace/shared/fault"
)

// writeChunk is the size of a write. Parts have a multiple of 1 MiB, and writeChunk is
// one byte less, so that some writes cross the end of a part.
const writeChunk = 1<<20 - 1

func open(t *testing.T, s archive.Store, key string) archive.Writer {
	t.Helper()
	w, err := s.Create(t.Context(), key, contentType)
	if err != nil {
		t.Fatalf("Create(%q): %v", key, err)
	}
	t.Cleanup(w.Abort)
	return w
}

func write(t *testing.T, w io.Writer, body []byte) {
	t.Helper()
	for len(body) > 0 {
		n, err := w.Write(body[:min(len(body), writeChunk)])
		if err != nil {
			t.Fatalf("Write: %v", err)
		}
		body = body[n:]
	}
}

func streamsOfAllSizes(t *testing.T, s archive.Store) {
	for _, size := range []int{0, 1, partSize - 1, partSize, partSize + 1, 2*partSize + 12345} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			key, body := fmt.Sprintf("stream/%d", size), pattern(size)
			w := open(t, s, key)
			write(t, w, body)
			info, err := w.Commit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if info.Key != key || info.Size != int64(size) || info.ContentType != contentType {
				t.Errorf("Commit returned %+v", info)
			}
			obj, err := s.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			checkInfo(t, "Get", obj.Info, info)
			if !bytes.Equal([]byte(readBody(t, obj)), body) {
				t.Error("read other bytes than written")
			}
		})
	}
}

func streamIsInvisible(t *testing.T, s archive.Store) {
	for _, size := range []int{10, partSize + 1} {
		key := fmt.Sprintf("stream/%d", size)
		w := open(t, s, key)
		write(t, w, pattern(size))
		_, err := s.Stat(t.Context(), key)
		wantNotFound(t, err)
		wantKeys(t, keys(t, s, key, ""), nil)
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, keys(t, s, key, ""), []string{key})
	}
}

func abortLeavesNothing(t *testing.T, s archive.Store) {
	for _, size := range []int{10, partSize + 1} {
		key := fmt.Sprintf("stream/%d", size)
		w := open(t, s, key)
		write(t, w, pattern(size))
		w.Abort()
		w.Abort()
		if _, err := w.Commit(t.Context()); err == nil {
			t.Error("a stream was committed after it had been aborted")
		}
		_, err := s.Stat(t.Context(), key)
		wantNotFound(t, err)
	}
	wantKeys(t, keys(t, s, "", ""), nil)
}

func abortAfterCancel(t *testing.T, s archive.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	w, err := s.Create(ctx, "a", contentType)
	if err != nil {
		t.Fatal(err)
	}
	write(t, w, pattern(partSize+1))
	cancel()
	if _, err := w.Write(pattern(partSize)); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("a write after the context had ended gave %v, want Unavailable", err)
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("a stream was committed although a write had failed")
	}
	w.Abort()
	wantKeys(t, keys(t, s, "", ""), nil)
}

func streamEndsOnce(t *testing.T, s archive.Store) {
	w := open(t, s, "a")
	write(t, w, []byte("one"))
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Abort() // an Abort after the end of the stream does nothing
	if _, err := w.Commit(t.Context()); err == nil || errors.Is(err, archive.ErrPrecondition) {
		t.Errorf("a second commit gave %v", err)
	}
	if _, err := w.Write([]byte("two")); err == nil {
		t.Error("a write after the commit succeeded")
	}
	if body := read(t, s, "a"); body != "one" {
		t.Errorf("read %q, want %q", body, "one")
	}
}

func streamRefusesExisting(t *testing.T, s archive.Store) {
	for _, size := range []int{10, partSize + 1} {
		key := fmt.Sprintf("stream/%d", size)
		put(t, s, key, "first")
		w := open(t, s, key)
		write(t, w, pattern(size))
		_, err := w.Commit(t.Context())
		wantPrecondition(t, err)
		if body := read(t, s, key); body != "first" {
			t.Errorf("read %d bytes, want %q", len(body), "first")
		}
	}
}

func racingStreams(t *testing.T, s archive.Store) {
	const racers = 3
	body := pattern(partSize + 1)
	writers := make([]archive.Writer, racers)
	for i := range writers {
		writers[i] = open(t, s, "a")
		write(t, writers[i], body)
		write(t, writers[i], []byte{byte('0' + i)})
	}
	errs := race(racers, func(i int) error {
		_, err := writers[i].Commit(t.Context())
		return err
	})
	winner := oneWinner(t, errs)
	if got := read(t, s, "a"); got[len(got)-1:] != fmt.Sprint(winner) {
		t.Errorf("the object ends in %q, but call %d succeeded", got[len(got)-1:], winner)
	}
}
