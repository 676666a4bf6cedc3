package storetest

import (
	"fmt"
	"strings"
	"testing"

	"ace/shared/archive"
)

// unordered are keys whose order by bytes differs from the order of a walk through
// directories: "/" sorts after "-" and ".", and upper-case letters before lower-case
// ones.
var unordered = []string{"a/b", "a-b", "a.b", "a/b-c", "a0", "B", "a/c/d", "a/b.json"}

var ordered = []string{"B", "a-b", "a.b", "a/b", "a/b-c", "a/b.json", "a/c/d", "a0"}

func listingOrder(t *testing.T, s archive.Store) {
	sizes := map[string]int64{}
	for i, key := range unordered {
		sizes[key] = put(t, s, key, strings.Repeat("x", i)).Size
	}
	wantKeys(t, keys(t, s, "", ""), ordered)
	wantKeys(t, keys(t, s, "a/", ""), []string{"a/b", "a/b-c", "a/b.json", "a/c/d"})
	wantKeys(t, keys(t, s, "a/b", ""), []string{"a/b", "a/b-c", "a/b.json"})
	wantKeys(t, keys(t, s, "none/", ""), nil)
	err := s.List(t.Context(), "", "", func(info archive.Info) bool {
		if info.Size != sizes[info.Key] || info.ETag == "" || info.LastModified.IsZero() || !info.Now.IsZero() {
			t.Errorf("listed %+v, want size %d", info, sizes[info.Key])
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
}

func listingAfter(t *testing.T, s archive.Store) {
	for _, key := range unordered {
		put(t, s, key, "1")
	}
	for i, key := range ordered {
		wantKeys(t, keys(t, s, "", key), ordered[i+1:])
	}
	wantKeys(t, keys(t, s, "a/", "a/b"), []string{"a/b-c", "a/b.json", "a/c/d"})
	wantKeys(t, keys(t, s, "a/", "a/b-"), []string{"a/b-c", "a/b.json", "a/c/d"}) // "a/b-" itself is no key of the store
	wantKeys(t, keys(t, s, "a/", "B"), []string{"a/b", "a/b-c", "a/b.json", "a/c/d"})
	wantKeys(t, keys(t, s, "a/", "b"), nil)
}

func listingEnds(t *testing.T, s archive.Store) {
	for _, key := range unordered {
		put(t, s, key, "1")
	}
	var got []string
	err := s.List(t.Context(), "", "", func(info archive.Info) bool {
		got = append(got, info.Key)
		return len(got) < 3
	})
	if err != nil {
		t.Fatal(err)
	}
	wantKeys(t, got, ordered[:3])
}

// listingPages lists a few more objects than a page of S3 contains.
func listingPages(t *testing.T, s archive.Store) {
	const objects, writers = 1024, 16
	var want []string
	for i := range objects {
		want = append(want, fmt.Sprintf("many/%04d", i))
	}
	for i, err := range race(writers, func(i int) error {
		for n := i; n < objects; n += writers {
			if _, err := s.Put(t.Context(), want[n], contentType, nil); err != nil {
				return err
			}
		}
		return nil
	}) {
		if err != nil {
			t.Fatalf("writer %d: %v", i, err)
		}
	}
	wantKeys(t, keys(t, s, "many/", ""), want)
	wantKeys(t, keys(t, s, "", "many/0010"), want[11:])
	wantKeys(t, keys(t, s, "many/102", ""), want[1020:])
	for _, left := range []int{127, 128, 129} { // numbers around 128, the length of the first page of the S3 store
		wantKeys(t, keys(t, s, "many/", want[objects-left-1]), want[objects-left:])
	}
}

func listingDuringReplacement(t *testing.T, s archive.Store) {
	const key = "tasks/t/task.json"
	put(t, s, key, "0")
	done := make(chan struct{})
	errs := race(2, func(i int) error {
		if i == 0 {
			defer close(done)
			for n := range 100 {
				if _, err := s.Put(t.Context(), key, contentType, []byte(fmt.Sprint(n))); err != nil {
					return err
				}
			}
			return nil
		}
		for {
			wantKeys(t, keys(t, s, "", ""), []string{key})
			select {
			case <-done:
				return nil
			default:
			}
		}
	})
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}
