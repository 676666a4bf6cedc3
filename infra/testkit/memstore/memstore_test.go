package memstore_test

import (
	"errors"
	"io"
	"testing"

	"go.uber.org/goleak"

	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/archive/storetest"
	"ace/shared/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore_PassesTheConformanceSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) archive.Store { return memstore.New(t) })
}

func TestStore_PassesTheProbe(t *testing.T) {
	if err := archive.Probe(t.Context(), memstore.New(t)); err != nil {
		t.Fatal(err)
	}
}

func TestStore_DoesNotShareMemoryWithItsCallers(t *testing.T) {
	store, content := memstore.New(t), []byte("written")
	if _, err := store.Put(t.Context(), "a", "text/plain", content); err != nil {
		t.Fatal(err)
	}
	copy(content, "changed")
	object, err := store.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	if _, err := store.Put(t.Context(), "a", "text/plain", []byte("another")); err != nil {
		t.Fatal(err)
	}
	read, err := io.ReadAll(object.Body)
	if err != nil || string(read) != "written" {
		t.Errorf("read %q, %v, want what was written before", read, err)
	}
}

func TestStore_AClosedBodyCannotBeRead(t *testing.T) {
	store := memstore.New(t)
	if _, err := store.Put(t.Context(), "a", "text/plain", []byte("content")); err != nil {
		t.Fatal(err)
	}
	object, err := store.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	object.Body.Close()
	if _, err := io.ReadAll(object.Body); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got error %v, want Unavailable", err)
	}
}

func TestStore_AListingMayChangeWhatItLists(t *testing.T) {
	store := memstore.New(t)
	for _, key := range []string{"a", "b", "c"} {
		if _, err := store.Put(t.Context(), key, "text/plain", nil); err != nil {
			t.Fatal(err)
		}
	}
	err := store.List(t.Context(), "", "", func(info archive.Info) bool {
		if err := store.Delete(t.Context(), info.Key); err != nil {
			t.Error(err)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Stat(t.Context(), "c"); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
}
