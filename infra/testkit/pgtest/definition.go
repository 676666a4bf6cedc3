package pgtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// definition is a pgEdge cluster file, with the fields that a cluster of this package
// needs.
type definition struct {
	ClusterName string           `json:"cluster_name"`
	PgEdge      pgEdge           `json:"pgedge"`
	NodeGroups  []definitionNode `json:"node_groups"`
}

type pgEdge struct {
	Databases []definitionDB `json:"databases"`
}

type definitionDB struct {
	Name     string `json:"db_name"`
	User     string `json:"db_user"`
	Password string `json:"db_password"`
}

type definitionNode struct {
	Name      string `json:"name"`
	IsActive  string `json:"is_active"`
	PublicIP  string `json:"public_ip"`
	PrivateIP string `json:"private_ip"`
	Port      int    `json:"port"`
}

// WriteDefinition writes the cluster's definition to <dir>/<cluster name>.json and
// returns that path.
func (c *Cluster) WriteDefinition(tb testing.TB, dir string) string {
	tb.Helper()
	d := definition{
		ClusterName: c.Name,
		PgEdge:      pgEdge{Databases: []definitionDB{{Name: c.DB, User: c.User, Password: c.Password}}},
	}
	for _, n := range c.Nodes {
		d.NodeGroups = append(d.NodeGroups, definitionNode{
			Name: n.Name, IsActive: "on", PublicIP: n.Host, PrivateIP: n.Host, Port: n.Port,
		})
	}
	content, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	path := filepath.Join(dir, c.Name+".json")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	return path
}
