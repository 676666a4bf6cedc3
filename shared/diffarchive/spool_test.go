package diffarchive_test

import (
	"fmt"
	"testing"

	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/diffarchive"
)

func TestSpool_ReturnsItsOwnRunsOnly(t *testing.T) {
	s := memstore.New(t)
	const task = "tr_20240315_123456"
	for attempt := range 2 {
		spool := diffarchive.NewSpool(s, task)
		for run := range 3 {
			w, err := spool.Create(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			for line := range 5 {
				if err := w.Line(fmt.Appendf(nil, `["%d of %d in %d"]`, line, run, attempt)); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.Abort()
		}
		r, err := spool.Open(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		for line := range 5 {
			if got, err := r.NextLine(); err != nil || string(got) != fmt.Sprintf(`["%d of 1 in %d"]`, line, attempt) {
				t.Fatalf("got %s, %v", got, err)
			}
		}
		if got, err := r.NextLine(); err != nil || got != nil {
			t.Errorf("after the end: %s, %v", got, err)
		}
		r.Close()
	}
	if _, err := diffarchive.NewSpool(s, task).Open(t.Context(), 1); err == nil {
		t.Error("a run of an earlier attempt was opened")
	}
	count := 0
	err := s.List(t.Context(), archive.TaskPrefix(task), "", func(archive.Info) bool { count++; return true })
	if err != nil || count != 6 {
		t.Errorf("%d objects below the task, %v", count, err)
	}
}
