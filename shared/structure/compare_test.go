//go:build !unit

package structure_test

import (
	"slices"
	"testing"

	"ace/infra/testkit/pgtest"
)

func TestCompare_AnIdenticalSchemaHasNoFinding(t *testing.T) {
	for name, majors := range pairsOfVersions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t, pgtest.Majors(majors...))
			c.ExecAll(t, everyKind(t))
			want := []string{}
			if name == "oldest with newest" { // each server has its own version of the extension
				want = []string{"differs: extension btree_gist: version differs"}
			}
			if got := texts(compare(t, c)); !slices.Equal(got, want) {
				t.Errorf("findings %q, want %q", got, want)
			}
		})
	}
}
