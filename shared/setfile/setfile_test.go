package setfile_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"ace/shared/fault"
	"ace/shared/setfile"
)

// FuzzRead checks that an accepted document is written and read as the same document, and
// that all other content is refused as the caller's mistake.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"format":"` + setfile.Format + `","tables":[{"table_name":"public.a","verdict":"identical","task_id":"td_1"}]}`))
	f.Add([]byte(`{"format":"` + setfile.Format + `","format":"x"}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := setfile.Read(bytes.NewReader(raw))
		if err != nil {
			if fault.CodeOf(err) != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		once, err := json.Marshal(d)
		if err != nil {
			t.Fatalf("%s is accepted, yet cannot be written: %v", raw, err)
		}
		again, err := setfile.Read(bytes.NewReader(once))
		if err != nil {
			t.Fatalf("%s becomes %s, which is refused: %v", raw, once, err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s becomes %s, then %s", raw, once, twice)
		}
	})
}
