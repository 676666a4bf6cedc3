package archive_test

import (
	"testing"

	"ace/shared/archive"
)

// FuzzParseRepairKey checks that the parts of an accepted key make a key with the same
// parts.
func FuzzParseRepairKey(f *testing.F) {
	f.Add(archive.RepairKey("tr_20240315_123456", "n1", 2, "manifest.json"))
	f.Add("repairs/x/%2f/+1/y")
	f.Fuzz(func(t *testing.T, key string) {
		node, attempt, name, ok := archive.ParseRepairKey(key)
		if !ok {
			return
		}
		again := archive.RepairKey("tr_1", node, attempt, name)
		if n, a, m, ok := archive.ParseRepairKey(again); !ok || n != node || a != attempt || m != name {
			t.Errorf("%q is %q, %d, %q, which is %q, %d, %q", key, node, attempt, name, n, a, m)
		}
	})
}
