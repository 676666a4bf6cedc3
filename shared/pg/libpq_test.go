//go:build !unit

package pg

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/cluster"
	"ace/shared/fault"
)

// Case O-P22, see docs/RELIABILITY.md.
func TestParameters_HaveEveryVariableOfLibpq(t *testing.T) {
	t.Parallel()
	libraries, err := filepath.Glob("../../.cache/pg*/node_modules/*/native/lib/libpq.so.5")
	if err != nil || len(libraries) == 0 {
		t.Fatalf("no libpq is found: run make deps (%v)", err)
	}
	var known []string
	for _, p := range cluster.Parameters() {
		known = append(known, p.Variable)
	}
	for _, path := range libraries {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found, variable := 0, regexp.MustCompile(`^PG[A-Z_]{3,40}$`)
		for name := range strings.SplitSeq(string(content), "\x00") {
			if !variable.MatchString(name) || strings.HasPrefix(name, "PGRES_") {
				continue
			}
			found++
			if !slices.Contains(known, name) {
				t.Errorf("%s: the variable %s is not in the table of parameters", path, name)
			}
		}
		if found < 25 {
			t.Errorf("%s has only %d variables: the test does not find them", path, found)
		}
	}
}

// Case O-P23, see docs/RELIABILITY.md.
func TestConnect_UsesTheParametersOfTheDefinition(t *testing.T) {
	t.Parallel()
	at := target(pgtest.NewCluster(t, pgtest.Nodes(1)), 0)
	at.Host = "does-not-exist.invalid"
	maps.Copy(at.Options, map[string]string{
		"hostaddr": "127.0.0.1", "application_name": "it's", "options": "-c geqo_seed=0.5", "connect_timeout": "3", "target_session_attrs": "primary",
	})
	node := nodeAt(t, at)
	conn, err := node.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	var name, seed string
	err = conn.QueryRow(t.Context(), "SELECT current_setting('application_name'), current_setting('geqo_seed')").Scan(&name, &seed)
	if err != nil || name != "it's" || seed != "0.5" {
		t.Errorf("application_name is %q and geqo_seed %q, %v", name, seed, err)
	}

	at.Options["target_session_attrs"] = "standby"
	if err := connect(t, at); !strings.Contains(fault.PublicMessage(err), "standby") {
		t.Errorf("a primary instead of a standby returned %v", err)
	}
}
