package archive_test

import (
	"testing"

	"ace/shared/archive"
)

func TestLocation_AcceptsItsOwnObjectsOnly(t *testing.T) {
	whole, part := archive.Location{Bucket: "b"}, archive.Location{Bucket: "b", Prefix: "team/a"}
	tests := []struct {
		name        string
		location    archive.Location
		bucket, key string
		want        string
		ok          bool
	}{
		{"a whole bucket", whole, "b", "diffs/x.json", "diffs/x.json", true},
		{"another bucket", whole, "c", "diffs/x.json", "", false},
		{"below the prefix", part, "b", "team/a/diffs/x.json", "diffs/x.json", true},
		{"a longer prefix", part, "b", "team/ab/diffs/x.json", "", false},
		{"above the prefix", part, "b", "diffs/x.json", "", false},
		{"nowhere", archive.Location{}, "", "diffs/x.json", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := tt.location.Key(tt.bucket, tt.key)
			if ok != tt.ok || ok && got != tt.want {
				t.Errorf("got %q, %v", got, ok)
			}
		})
	}
	if whole.String() != "s3://b" || part.String() != "s3://b/team/a" {
		t.Errorf("they are written %s and %s", whole, part)
	}
}
