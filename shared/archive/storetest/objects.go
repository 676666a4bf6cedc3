package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

const (
	// clockTolerance allows for a store whose clock differs from this host's.
	clockTolerance = time.Minute
	// dateLag allows for a server that updates its Date header once a second, as some do.
	dateLag = 2 * time.Second
)

func readSeesWrite(t *testing.T, s archive.Store) {
	written := put(t, s, "dir/a", "one")
	if written.Key != "dir/a" || written.Size != 3 || written.ETag == "" {
		t.Errorf("Put gave %+v", written)
	}
	obj, err := s.Get(t.Context(), "dir/a")
	if err != nil {
		t.Fatal(err)
	}
	if body := readBody(t, obj); body != "one" {
		t.Errorf("read %q, want %q", body, "one")
	}
	checkInfo(t, "Get", obj.Info, written)
	info, err := s.Stat(t.Context(), "dir/a")
	if err != nil {
		t.Fatal(err)
	}
	checkInfo(t, "Stat", info, written)

	replaced := put(t, s, "dir/a", "two")
	if replaced.ETag == written.ETag {
		t.Error("two versions of different content have the same ETag")
	}
	if body := read(t, s, "dir/a"); body != "two" {
		t.Errorf("read %q after the replacement, want %q", body, "two")
	}
}

func checkInfo(t *testing.T, call string, got, written archive.Info) {
	t.Helper()
	if got.Key != written.Key || got.Size != written.Size || got.ETag != written.ETag || got.ContentType != contentType {
		t.Errorf("%s gave %+v, written was %+v", call, got, written)
	}
	for name, stamp := range map[string]time.Time{"Now": got.Now, "LastModified": got.LastModified, "Now of the write": written.Now} {
		if age := time.Since(stamp); age.Abs() > clockTolerance {
			t.Errorf("%s: %s is %s ago", call, name, age)
		}
	}
	if got.LastModified.Sub(got.Now) > dateLag {
		t.Errorf("%s: the object was modified at %s, well after the answer's time %s", call, got.LastModified, got.Now)
	}
}

func missingIsNotFound(t *testing.T, s archive.Store) {
	put(t, s, "dir/a", "1")
	for _, key := range []string{"b", "dir", "dir/b", "dir/a1", "none/b"} {
		_, err := s.Get(t.Context(), key)
		wantNotFound(t, err)
		_, err = s.Stat(t.Context(), key)
		wantNotFound(t, err)
		_, err = s.GetRange(t.Context(), key, "0123", 0, 1)
		wantNotFound(t, err)
		_, err = s.GetTail(t.Context(), key, 1)
		wantNotFound(t, err)
	}
}

func emptyObject(t *testing.T, s archive.Store) {
	if _, err := s.PutIfAbsent(t.Context(), "mark", contentType, nil); err != nil {
		t.Fatal(err)
	}
	if body := read(t, s, "mark"); body != "" {
		t.Errorf("read %q, want nothing", body)
	}
	_, err := s.PutIfAbsent(t.Context(), "mark", contentType, nil)
	wantPrecondition(t, err)
}

func createRefusesExisting(t *testing.T, s archive.Store) {
	info, err := s.PutIfAbsent(t.Context(), "a", contentType, []byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.PutIfAbsent(t.Context(), "a", contentType, []byte("second"))
	wantPrecondition(t, err)
	// The second call must fail even if the content is the same, because the caller must
	// learn that another call was first.
	_, err = s.PutIfAbsent(t.Context(), "a", contentType, []byte("first"))
	wantPrecondition(t, err)
	if body := read(t, s, "a"); body != "first" {
		t.Errorf("read %q, want %q", body, "first")
	}
	if again, err := s.Stat(t.Context(), "a"); err != nil || again.ETag != info.ETag {
		t.Errorf("Stat gave %+v, %v; want ETag %s", again, err, info.ETag)
	}
}

func racingCreates(t *testing.T, s archive.Store) {
	for round := range 5 {
		key := fmt.Sprintf("round/%d", round)
		errs := race(8, func(i int) error {
			_, err := s.PutIfAbsent(t.Context(), key, contentType, []byte{byte('0' + i)})
			return err
		})
		winner := oneWinner(t, errs)
		if body := read(t, s, key); body != fmt.Sprint(winner) {
			t.Errorf("read %q, but call %d succeeded", body, winner)
		}
	}
}

// race calls fn(0) to fn(n-1) concurrently and returns their errors.
func race(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// oneWinner checks that one call succeeded and all others lost the race, and returns the
// number of that call.
func oneWinner(t *testing.T, errs []error) int {
	t.Helper()
	winner, winners := -1, 0
	for i, err := range errs {
		switch {
		case err == nil:
			winner, winners = i, winners+1
		case !errors.Is(err, archive.ErrPrecondition):
			t.Errorf("racer %d: %v", i, err)
		}
	}
	if winners != 1 {
		t.Errorf("%d of %d racers won, want 1", winners, len(errs))
	}
	return winner
}

func replaceRefusesOutdated(t *testing.T, s archive.Store) {
	_, err := s.PutIfMatch(t.Context(), "a", contentType, []byte("x"), "0123456789abcdef0123456789abcdef")
	wantPrecondition(t, err) // there is no version at all
	first := put(t, s, "a", "first")
	second, err := s.PutIfMatch(t.Context(), "a", contentType, []byte("second"), first.ETag)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.PutIfMatch(t.Context(), "a", contentType, []byte("third"), first.ETag)
	wantPrecondition(t, err)
	if body := read(t, s, "a"); body != "second" {
		t.Errorf("read %q, want %q", body, "second")
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	_, err = s.PutIfMatch(t.Context(), "a", contentType, []byte("third"), second.ETag)
	wantPrecondition(t, err)
}

// racingReplacements increments a counter concurrently by compare-and-swap. A lost update
// would be missing from the sum.
func racingReplacements(t *testing.T, s archive.Store) {
	const writers, increments = 8, 20
	put(t, s, "counter", `{"n":0}`)
	errs := race(writers, func(int) error {
		for range increments {
			if err := increment(t, s, "counter"); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, s, "counter"), fmt.Sprintf(`{"n":%d}`, writers*increments); got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
}

type counter struct {
	N int `json:"n"`
}

func increment(t *testing.T, s archive.Store, key string) error {
	for {
		obj, err := s.Get(t.Context(), key)
		if err != nil {
			return err
		}
		var c counter
		err = json.NewDecoder(obj.Body).Decode(&c)
		obj.Body.Close()
		if err != nil {
			return err
		}
		body, err := json.Marshal(counter{c.N + 1})
		if err != nil {
			return err
		}
		_, err = s.PutIfMatch(t.Context(), key, contentType, body, obj.ETag)
		if !errors.Is(err, archive.ErrPrecondition) {
			return err
		}
	}
}

// createsDuringDeletes concurrently creates and deletes objects whose keys begin with
// "open/". A store that stores objects as files may delete the directory "open" when it
// becomes empty. Meanwhile another goroutine may create an object in this directory: that
// must not fail, and the object must not be lost.
func createsDuringDeletes(t *testing.T, s archive.Store) {
	const writers, rounds = 8, 15
	errs := race(writers, func(i int) error {
		key := fmt.Sprintf("open/%d", i)
		for range rounds {
			if _, err := s.PutIfAbsent(t.Context(), key, contentType, nil); err != nil {
				return fmt.Errorf("create: %w", err)
			}
			if _, err := s.Stat(t.Context(), key); err != nil {
				return fmt.Errorf("stat: %w", err)
			}
			if err := s.Delete(t.Context(), key); err != nil {
				return fmt.Errorf("delete: %w", err)
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, keys(t, s, "", ""), nil)
}

func deletedIsGone(t *testing.T, s archive.Store) {
	put(t, s, "dir/a", "1")
	put(t, s, "dir/b", "2")
	for range 2 { // the second time there is nothing to delete, which is no error
		if err := s.Delete(t.Context(), "dir/a"); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(t.Context(), "dir/a")
		wantNotFound(t, err)
		wantKeys(t, keys(t, s, "", ""), []string{"dir/b"})
	}
	if _, err := s.PutIfAbsent(t.Context(), "dir/a", contentType, []byte("3")); err != nil {
		t.Errorf("create after delete: %v", err)
	}
}

func rangeOfVersion(t *testing.T, s archive.Store) {
	info := put(t, s, "a", "0123456789")
	tests := []struct {
		offset, length int64
		want           string
	}{
		{0, 4, "0123"}, {0, 1, "0"}, {3, 4, "3456"}, {9, 1, "9"}, {0, 10, "0123456789"},
		{0, -1, "0123456789"}, {7, -1, "789"}, {7, 100, "789"},
		{4, 0, ""}, {10, -1, ""}, {10, 5, ""}, {99, 5, ""},
	}
	for _, tt := range tests {
		obj, err := s.GetRange(t.Context(), "a", info.ETag, tt.offset, tt.length)
		if err != nil {
			t.Errorf("GetRange(%d, %d): %v", tt.offset, tt.length, err)
			continue
		}
		if got := readBody(t, obj); got != tt.want {
			t.Errorf("GetRange(%d, %d) read %q, want %q", tt.offset, tt.length, got, tt.want)
		}
		if obj.Size != 10 || obj.ETag != info.ETag || obj.Now.IsZero() {
			t.Errorf("GetRange(%d, %d) described %+v", tt.offset, tt.length, obj.Info)
		}
	}
}

func tailOfNewestVersion(t *testing.T, s archive.Store) {
	put(t, s, "a", "the version before")
	info := put(t, s, "a", "0123456789")
	empty := put(t, s, "empty", "")
	for _, tt := range []struct {
		of     archive.Info
		length int64
		want   string
	}{
		{info, 1, "9"}, {info, 4, "6789"}, {info, 10, "0123456789"}, {info, 11, "0123456789"}, {info, 1 << 40, "0123456789"},
		{empty, 1, ""}, {empty, 1 << 40, ""},
	} {
		obj, err := s.GetTail(t.Context(), tt.of.Key, tt.length)
		if err != nil {
			t.Errorf("GetTail(%s, %d): %v", tt.of.Key, tt.length, err)
			continue
		}
		if got := readBody(t, obj); got != tt.want || obj.Size != tt.of.Size || obj.ETag != tt.of.ETag || obj.Now.IsZero() {
			t.Errorf("GetTail(%s, %d) read %q of %+v, want %q", tt.of.Key, tt.length, got, obj.Info, tt.want)
		}
	}
	if _, err := s.GetTail(t.Context(), "absent", 1); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("an absent object: %v", err)
	}
	for _, length := range []int64{0, -1} {
		if _, err := s.GetTail(t.Context(), "a", length); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

func rangeRefusesOtherVersion(t *testing.T, s archive.Store) {
	old := put(t, s, "a", "0123456789")
	put(t, s, "a", "abcdefghij")
	for _, length := range []int64{0, 4, -1} {
		obj, err := s.GetRange(t.Context(), "a", old.ETag, 0, length)
		wantPrecondition(t, err)
		if err == nil {
			_, _ = io.Copy(io.Discard, obj.Body)
			obj.Body.Close()
		}
	}
}

func invalidArguments(t *testing.T, s archive.Store) {
	info := put(t, s, "a", "0123456789")
	_, negative := s.GetRange(t.Context(), "a", info.ETag, -1, 1)
	_, unversioned := s.GetRange(t.Context(), "a", "", 0, 1)
	_, unmatched := s.PutIfMatch(t.Context(), "a", contentType, nil, "")
	for call, err := range map[string]error{
		"GetRange from -1": negative, "GetRange without an ETag": unversioned, "PutIfMatch without an ETag": unmatched,
	} {
		if fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s returned %v, want Invalid", call, err)
		}
	}
	if body := read(t, s, "a"); body != "0123456789" {
		t.Errorf("read %q after the refused calls", body)
	}
}

// pattern returns n bytes that repeat after every 37 bytes. As 37 does not divide
// partSize, consecutive parts of an upload have different bytes.
func pattern(n int) []byte {
	return bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz."), n/37+1)[:n]
}
