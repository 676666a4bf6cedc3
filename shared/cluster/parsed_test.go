package cluster_test

import (
	"os"
	"path/filepath"
	"testing"

	"ace/shared/cluster"
)

func TestSource_AnotherContentOfAFileTakesEffectAtOnce(t *testing.T) {
	dir := t.TempDir()
	source := cluster.NewSource(cluster.Options{Path: dir})
	for _, host := range []string{"10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.1"} {
		content := `{"pgedge": {"databases": [{"db_name": "d", "db_user": "u", "db_password": "p"}]}, "node_groups": [{"name": "n1", "public_ip": "` + host + `"}]}`
		if err := os.WriteFile(filepath.Join(dir, "c.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := source.Load(t.Context(), "c")
		if err != nil || len(c.Nodes) != 1 || c.Nodes[0].Host != host {
			t.Fatalf("the file has the host %s, the definition %+v, error %v", host, c.Nodes, err)
		}
		targets, err := c.Targets("d", nil)
		if err != nil {
			t.Fatal(err)
		}
		targets[0].Options["sslmode"] = "disable" // a caller may change what it got
		if c, err = source.Load(t.Context(), "c"); err != nil || c.Nodes[0].Options["sslmode"] != "" || c.Databases[0].Options["sslmode"] != "" {
			t.Fatalf("a change of a target changed the definition: %+v, error %v", c, err)
		}
	}
}
