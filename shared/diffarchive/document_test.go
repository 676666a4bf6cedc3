package diffarchive_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/diffarchive"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/task"
)

const (
	key  = "diffs/2024-03-15/td_20240315_123456.json"
	peer = `{"diffs":{"n1/n2":{"n1":[{"id":1},{"id":2}],"n2":[{"id":1}]}},"summary":{"schema":"public","table":"users"}}`
)

// store stores a document and returns what a task records of it.
func store(t *testing.T, s archive.Store, body string) task.Document {
	t.Helper()
	if _, err := s.Put(t.Context(), key, "application/json", []byte(body)); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	return task.Document{Key: key, Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:])}
}

func TestDocument_VerifyAcceptsTheRecordedDocument(t *testing.T) {
	s := memstore.New(t)
	d, err := diffarchive.Open(t.Context(), s, store(t, s, peer))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	rows := 0
	if err := d.Walk(func(difffile.Entry) error { rows++; return nil }, nil); err != nil || rows != 3 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if err := d.Verify(); err != nil {
		t.Error(err)
	}
}

func TestDocument_VerifyReadsTheRestOfTheDocument(t *testing.T) {
	s := memstore.New(t)
	d, err := diffarchive.Open(t.Context(), s, store(t, s, peer+strings.Repeat(" ", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Verify(); err != nil {
		t.Error(err)
	}
}

func TestDocument_AnotherThanTheRecordedOneIsRejected(t *testing.T) {
	s := memstore.New(t)
	recorded := store(t, s, peer)
	changed := strings.Replace(peer, `"id":2`, `"id":3`, 1)
	tests := []struct {
		name, body string
		code       fault.Code
		says       string
	}{
		{"gone", "", fault.NotFound, "not in the archive any more"},
		{"longer", peer + " ", fault.Invalid, "it was changed"},
		{"with other bytes", changed, fault.Invalid, "it was changed"},
		{"not a diff document", `{"a":` + strings.Repeat(" ", len(peer)-7) + "1}", fault.Invalid, "not a diff document"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := s.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			if tt.body != "" {
				store(t, s, tt.body)
			}
			d, err := diffarchive.Open(t.Context(), s, recorded)
			if err == nil {
				defer d.Close()
				err = d.Verify()
			}
			if fault.CodeOf(err) != tt.code || !strings.Contains(fault.PublicMessage(err), tt.says) {
				t.Errorf("got %v, want code %s and %s", err, tt.code, tt.says)
			}
		})
	}
}

func TestDocument_AnErrorOfTheStoreIsNotReportedAsAChange(t *testing.T) {
	s := faulty.Wrap(memstore.New(t))
	recorded := store(t, s, peer)
	s.On(faulty.Get, key, faulty.Always(faulty.FailBefore))
	if _, err := diffarchive.Open(t.Context(), s, recorded); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
}
