package timelist_test

import (
	"strings"
	"testing"
	"time"

	"ace/shared/api"
	"ace/shared/timelist"
)

// What Name makes is a name, of the same task and in the order of time. Nothing else is a
// name, so no name leads out of the list.
func FuzzIsName(f *testing.F) {
	f.Add("08289/49303999-td_20240315_123456", int64(1710506096000))
	f.Add("08289/../x-td_20240315_123456", int64(-1))
	f.Add("08289/49303999-td_20240315_123456\n", int64(1)<<62)
	f.Add("", int64(0))
	f.Fuzz(func(t *testing.T, name string, millis int64) {
		if timelist.IsName(name) {
			id := timelist.TaskID(name)
			if !api.IsTaskID(id) || strings.Contains(name, "..") || strings.Count(name, "/") != 1 || strings.ContainsAny(name, "\n\x00\\") {
				t.Errorf("%q is a name, of the task %q", name, id)
			}
		}

		const id = "tr_20240315_123456_x1y2z3"
		at := time.UnixMilli(millis)
		made := timelist.Name(at, id)
		if !timelist.IsName(made) || timelist.TaskID(made) != id {
			t.Errorf("the name %q of the time %d is none, or of the task %q", made, millis, timelist.TaskID(made))
		}
		if later := timelist.Name(at.Add(time.Hour), id); later > made {
			t.Errorf("%q of the later time sorts after %q", later, made)
		}
	})
}
