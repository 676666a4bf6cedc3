package archive_test

import (
	"strings"
	"testing"
	"time"

	"ace/shared/archive"
)

const taskID = "td_20240315_123456"

func TestKeys_AreTheLayoutThatOperatorsSee(t *testing.T) {
	east := time.FixedZone("UTC+10", 10*60*60)
	tests := []struct{ name, got, want string }{
		{"open marker", archive.OpenKey(taskID), "open/td_20240315_123456"},
		{"task record", archive.TaskKey(taskID), "tasks/td_20240315_123456/task.json"},
		{"plan", archive.PlanKey(taskID), "tasks/td_20240315_123456/plan.json"},
		{"cancellation request", archive.CancelKey(taskID), "tasks/td_20240315_123456/cancel"},
		{"part", archive.PartKey(taskID, "compare", "7.1"), "tasks/td_20240315_123456/parts/compare-7.1"},
		{"the lock of a table", archive.LockKey("demo", "acedb", "public.users"),
			"locks/84f4ea8b5f9b34edc09193e4e4fc2c2e301df17645ad15c10431bb72cd481391"},
		{"the day of a document is the UTC day", archive.DiffKey(taskID, time.Date(2024, 3, 16, 5, 0, 0, 0, east), "json"),
			"diffs/2024-03-15/td_20240315_123456.json"},
		{"a rendering has its document's key", archive.RenderingKey("diffs/2024-03-15/td_20240315_123456.json", "html"),
			"diffs/2024-03-15/td_20240315_123456.html"},
		{"list of documents", archive.DiffIndexPrefix("", ""), "index/diffs/_all/_all/"},
		{"list of a table's documents", archive.DiffIndexPrefix("demo", "public.users"), "index/diffs/demo/public.users/"},
		{"list of an odd table's documents", archive.DiffIndexPrefix("demo", `"My Schema"."a/b"`), "index/diffs/demo/%22My%20Schema%22.%22a%2Fb%22/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}

func TestKeys_OfATaskAreBelowItsPrefix(t *testing.T) {
	for _, key := range []string{
		archive.TaskKey(taskID), archive.PlanKey(taskID), archive.CancelKey(taskID),
		archive.PartKey(taskID, "compare", "0"),
	} {
		if !strings.HasPrefix(key, archive.TaskPrefix(taskID)) {
			t.Errorf("%q does not begin with %q", key, archive.TaskPrefix(taskID))
		}
	}
}

func TestPartsPrefix_HoldsThePartsOfItsPhaseOnly(t *testing.T) {
	prefix := archive.PartsPrefix(taskID, "compare")
	if key := archive.PartKey(taskID, "compare", "12"); !strings.HasPrefix(key, prefix) {
		t.Errorf("%q does not begin with %q", key, prefix)
	}
	if key := archive.PartKey(taskID, "confirm", "12"); strings.HasPrefix(key, prefix) {
		t.Errorf("%q of another phase begins with %q", key, prefix)
	}
}

func TestTaskIDOfRecord_AcceptsRecordsOnly(t *testing.T) {
	if id, ok := archive.TaskIDOfRecord(archive.TaskKey(taskID)); !ok || id != taskID {
		t.Errorf("got %q, %v", id, ok)
	}
	for _, key := range []string{"", "tasks/", "tasks//task.json", archive.PlanKey(taskID), "tasks/a/b/task.json", "open/" + taskID + "/task.json"} {
		if id, ok := archive.TaskIDOfRecord(key); ok {
			t.Errorf("of %q: %q", key, id)
		}
	}
}

func TestDiffIndexPrefix_DistinguishesLongNamesInShortSegments(t *testing.T) {
	seen := map[string]bool{}
	for _, last := range []string{"a", "b", "c"} {
		prefix := archive.DiffIndexPrefix("demo", strings.Repeat("ä", 63)+"."+strings.Repeat("ö", 62)+last)
		for piece := range strings.SplitSeq(prefix, "/") {
			if len(piece) > 200 {
				t.Errorf("a piece has %d bytes: %s", len(piece), piece)
			}
		}
		seen[prefix] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d different prefixes, want 3", len(seen))
	}
}

func TestParseRepairKey_ReturnsTheComponentsOfTheKey(t *testing.T) {
	for _, node := range []string{"n1", "a/b", "n 1%2F", "é"} {
		got, attempt, name, ok := archive.ParseRepairKey(archive.RepairKey("tr_20240101_000000", node, 3, "manifest.json"))
		if got != node || attempt != 3 || name != "manifest.json" || !ok {
			t.Errorf("attempt 3 on node %q comes back as %d on %q: %q, %v", node, attempt, got, name, ok)
		}
	}
	for _, key := range []string{"", "repairs/tr_20240101_000000/n1/1", "diffs/a/b/c/d", "repairs/t/%zz/1/a", "repairs/t/n1/one/a"} {
		if got, _, _, ok := archive.ParseRepairKey(key); ok {
			t.Errorf("%q is of node %q", key, got)
		}
	}
}
