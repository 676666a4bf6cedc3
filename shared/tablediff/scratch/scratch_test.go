package scratch_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/tablediff/scratch"
)

const id = "td_20240315_123456"

// read returns the content of an object, or its error as text.
func read(t *testing.T, s archive.Store, key string) string {
	t.Helper()
	object, err := s.Get(t.Context(), key)
	if err != nil {
		return err.Error()
	}
	body, err := io.ReadAll(object.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// write streams an object.
func write(t *testing.T, s archive.Store, key, body string) error {
	t.Helper()
	w, err := s.Create(t.Context(), key, "text/plain")
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, body); err != nil {
		return err
	}
	_, err = w.Commit(t.Context())
	return err
}

// keys returns the keys below a prefix.
func keys(t *testing.T, s archive.Store, prefix string) (found []string) {
	t.Helper()
	if err := s.List(t.Context(), prefix, "", func(info archive.Info) bool {
		found = append(found, info.Key)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

func TestStore_KeepsPlanAndPartsInMemoryUntilKeep(t *testing.T) {
	above := faulty.Wrap(memstore.New(t))
	s := scratch.New(above, id)
	part, document := archive.PartKey(id, "compare", "000000"), "diffs/2024-03-15/"+id+".json"
	if _, err := s.PutIfAbsent(t.Context(), archive.PlanKey(id), "application/json", []byte("plan")); err != nil {
		t.Fatal(err)
	}
	for key, body := range map[string]string{part: "header\nfooter\n", document: "document"} {
		if err := write(t, s, key, body); err != nil {
			t.Fatal(err)
		}
	}

	if got := keys(t, above, ""); !slices.Equal(got, []string{document}) {
		t.Errorf("the archive has %q, want only the document", got)
	}
	if got := keys(t, s, archive.PartsPrefix(id, "compare")); !slices.Equal(got, []string{part}) {
		t.Errorf("listed are %q", got)
	}
	if got := keys(t, s, archive.PartsPrefix(id, "confirm")); got != nil {
		t.Errorf("listed are %q of a phase without parts", got)
	}
	info, err := s.Stat(t.Context(), part)
	if err != nil || info.Size != 14 {
		t.Fatalf("the part is %+v, %v", info, err)
	}
	tail, err := s.GetRange(t.Context(), part, info.ETag, 7, -1)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(tail.Body); err != nil || string(body) != "footer\n" {
		t.Errorf("the tail is %q, %v", body, err)
	}
	if err := write(t, s, part, "again"); !errors.Is(err, archive.ErrPrecondition) {
		t.Errorf("a second part was stored: %v", err)
	}
	if _, err := s.Stat(t.Context(), archive.PartKey(id, "confirm", "000000")); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("a part that was not written: %v", err)
	}

	above.On(faulty.Commit, archive.PlanKey(id), faulty.First(1, faulty.FailBefore))
	if err := s.Keep(t.Context()); err == nil || len(keys(t, above, archive.TaskPrefix(id))) > 0 {
		t.Errorf("after the plan was not stored: %v, %q", err, keys(t, above, archive.TaskPrefix(id)))
	}
	if err := s.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if plan, body := read(t, above, archive.PlanKey(id)), read(t, above, part); plan != "plan" || body != "header\nfooter\n" {
		t.Errorf("the archive has %q and %q", plan, body)
	}
	if err := write(t, s, archive.PartKey(id, "confirm", "000000"), "rows"); err != nil || len(keys(t, above, archive.PartsRoot(id))) != 2 {
		t.Errorf("after Keep, a part was not written to the archive: %v", err)
	}
	if got := read(t, s, part); got != "header\nfooter\n" {
		t.Errorf("after Keep, the part is %q", got)
	}
}

func TestStore_ReportsWhatDoesNotFit(t *testing.T) {
	above := memstore.New(t)
	s := scratch.New(above, id)
	large := strings.Repeat("x", 3<<20)
	if err := write(t, s, archive.PartKey(id, "compare", "000000"), large); err != nil {
		t.Fatal(err)
	}
	if err := write(t, s, archive.PartKey(id, "compare", "000001"), large); !errors.Is(err, scratch.ErrTooLarge) {
		t.Errorf("two large parts: %v", err)
	}
	if err := write(t, s, archive.PartKey(id, "compare", "000002"), large+large); !errors.Is(err, scratch.ErrTooLarge) {
		t.Errorf("a larger part: %v", err)
	}
	if err := write(t, s, "diffs/2024-03-15/"+id+".json", large+large); err != nil {
		t.Errorf("a document of any size: %v", err)
	}
}

func TestStore_KeepsNothingNextToThePlanOfAnotherRun(t *testing.T) {
	above := memstore.New(t)
	s := scratch.New(above, id)
	part := archive.PartKey(id, "compare", "000000")
	_, err := s.PutIfAbsent(t.Context(), archive.PlanKey(id), "", []byte("mine"))
	if err == nil {
		err = write(t, s, part, "rows")
	}
	if err == nil {
		_, err = above.PutIfAbsent(t.Context(), archive.PlanKey(id), "", []byte("theirs"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(t.Context()); !errors.Is(err, archive.ErrPrecondition) || read(t, above, archive.PlanKey(id)) != "theirs" || len(keys(t, above, archive.PartsRoot(id))) > 0 {
		t.Errorf("%v; the archive has %q", err, keys(t, above, ""))
	}
}
