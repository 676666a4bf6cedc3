package service_test

import (
	"encoding/json"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/archive"
)

// A comparison whose parameters cannot be read is listed, but not as a comparison of the
// whole table. It does not affect the other entries of the list.
func TestListDiffs_ShowsThatParametersCannotBeRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	want := map[string]string{} // the beginning of the table_filter, by task id
	for _, listed := range []struct{ record, filter string }{
		{"intact", ""}, {"", "unknown: "}, {"{", "unknown: "}, {"with damaged parameters", "unknown: "},
	} {
		rec := b.compared(t, acex)
		want[rec.TaskID] = listed.filter
		stored := listed.record
		if listed.record != "intact" {
			rec.Parameters = json.RawMessage(`{"nodes":5}`) // so the entry has no restrictions, like that of an earlier version
		}
		if err := b.Diffs.Add(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		switch listed.record {
		case "intact":
			continue
		case "":
			if err := b.store.Delete(t.Context(), archive.TaskKey(rec.TaskID)); err != nil {
				t.Fatal(err)
			}
			continue
		case "with damaged parameters":
			body, err := json.Marshal(rec)
			if err != nil {
				t.Fatal(err)
			}
			stored = string(body)
		}
		if _, err := b.store.Put(t.Context(), archive.TaskKey(rec.TaskID), "application/json", []byte(stored)); err != nil {
			t.Fatal(err)
		}
	}

	list, err := b.ListDiffs(t.Context(), api.DiffsRequest{Limit: 50})
	if err != nil || len(list.Diffs) != len(want) {
		t.Fatalf("%d of %d entries, error %v", len(list.Diffs), len(want), err)
	}
	for _, d := range list.Diffs {
		if filter := want[d.TaskID]; !strings.HasPrefix(d.TableFilter, filter) || filter == "" && d.TableFilter != "" {
			t.Errorf("task %s has the table_filter %q, want %q", d.TaskID, d.TableFilter, filter)
		}
	}
}
