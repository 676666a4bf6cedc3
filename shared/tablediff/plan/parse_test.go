package plan_test

import (
	"encoding/json"
	"testing"

	"ace/shared/fault"
	"ace/shared/tablediff/plan"
)

// FuzzParse checks that a stored plan is refused as damaged, or is written and read as
// the same plan.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"format":"` + plan.Format + `","task_id":"td_1","strategy":"keys"}`))
	f.Add([]byte(`{"format":"x","task_id":"td_1"}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := plan.Parse(body, "td_1")
		if err != nil {
			if fault.CodeOf(err) != fault.Internal {
				t.Fatal(err)
			}
			return
		}
		once, err := json.Marshal(p)
		if err != nil {
			t.Fatalf("%s is accepted, yet cannot be written: %v", body, err)
		}
		again, err := plan.Parse(once, "td_1")
		if err != nil {
			t.Fatalf("%s becomes %s: %v", body, once, err)
		}
		if twice, err := json.Marshal(again); err != nil || string(twice) != string(once) {
			t.Errorf("%s becomes %s, then %s", body, once, twice)
		}
	})
}
