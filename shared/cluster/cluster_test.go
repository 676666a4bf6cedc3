package cluster_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ace/shared/cluster"
	"ace/shared/fault"
)

// demo is a definition as pgEdge writes it, with two databases, a sub-node and an
// inactive node.
const demo = `{
  "json_version": "1.0",
  "cluster_name": "demo",
  "update_date": "2024-07-29 13:26:29GMT",
  "pgedge": {
    "pg_version": 16,
    "spock": {"auto_ddl": "off"},
    "databases": [
      {"db_name": "acedb", "db_user": "ace", "db_password": "pw-one", "sslmode": "require"},
      {"db_name": "other", "db_user": "bob", "db_password": ""}
    ]
  },
  "node_groups": [
    {"ssh": {"os_user": "x"}, "name": "n1", "is_active": "on", "public_ip": "localhost", "private_ip": "10.0.0.1", "port": "5432"},
    {"name": "n2", "is_active": true, "public_ip": "", "private_ip": "10.0.0.2", "port": 5433, "sslmode": "verify-full", "sslrootcert": "/ca.pem",
     "sub_nodes": [
       {"name": "n2a", "public_ip": "10.0.1.2", "db_user": "replica", "db_password": "pw-sub"},
       {"name": "n2b", "is_active": "off", "public_ip": "10.0.1.3"}
     ]},
    {"name": "n3", "is_active": "off", "public_ip": "10.0.0.3", "port": "5432"}
  ]
}`

func load(t *testing.T, opts cluster.Options, name string) cluster.Cluster {
	t.Helper()
	c, err := cluster.NewSource(opts).Load(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func targets(t *testing.T, c cluster.Cluster, dbname string, nodes ...string) []cluster.Target {
	t.Helper()
	got, err := c.Targets(dbname, nodes)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// checkTargets compares targets with their revealed passwords, because hidden secrets
// would all be equal.
func checkTargets(t *testing.T, got, want []cluster.Target) {
	t.Helper()
	reveal := cmp.Transformer("reveal", cluster.Secret.Reveal)
	unexplained := cmpopts.IgnoreFields(cluster.Target{}, "NoPassword")
	if diff := cmp.Diff(want, got, reveal, unexplained); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

func TestTargets_CombineDatabaseAndNode(t *testing.T) {
	c := load(t, cluster.Options{Path: directory(t, map[string]string{"demo.json": demo})}, "demo")
	require := map[string]string{"sslmode": "require"}
	checkTargets(t, targets(t, c, ""), []cluster.Target{
		{Node: "n1", Host: "localhost", Port: 5432, Database: "acedb", User: "ace", Login: cluster.Login{Password: "pw-one"}, Options: require},
		{Node: "n2", Host: "10.0.0.2", Port: 5433, Database: "acedb", User: "ace", Login: cluster.Login{Password: "pw-one"},
			Options: map[string]string{"sslmode": "verify-full", "sslrootcert": "/ca.pem"}},
		{Node: "n2a", Host: "10.0.1.2", Port: 5432, Database: "acedb", User: "replica", Login: cluster.Login{Password: "pw-sub"}, Options: require},
	})
	// The result is in the cluster's order, not in that of the argument.
	checkTargets(t, targets(t, c, "other", "n2a", "n1"), []cluster.Target{
		{Node: "n1", Host: "localhost", Port: 5432, Database: "other", User: "bob", Options: map[string]string{}},
		{Node: "n2a", Host: "10.0.1.2", Port: 5432, Database: "other", User: "replica", Login: cluster.Login{Password: "pw-sub"}, Options: map[string]string{}},
	})
	if got := []string{c.Nodes[0].HostKey, c.Nodes[1].HostKey}; got[0] != "public_ip" || got[1] != "private_ip" {
		t.Errorf("the addresses come from %v", got)
	}
}

func TestTargets_TheLoginOfANodeOverridesThatOfTheDatabase(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ace-AbCdEf"
	c := load(t, cluster.Options{Path: directory(t, map[string]string{"demo.json": `{
		"pgedge": {"databases": [{"db_name": "d", "db_user": "u", "db_password_secret": "` + arn + `"}]},
		"node_groups": [
			{"name": "n1", "public_ip": "a"}, {"name": "n2", "public_ip": "b", "db_password": "p"},
			{"name": "n3", "public_ip": "c", "rds_iam": true, "sslmode": "require"}
		]}`})}, "demo")
	checkTargets(t, targets(t, c, ""), []cluster.Target{
		{Node: "n1", Host: "a", Port: 5432, Database: "d", User: "u", Login: cluster.Login{PasswordSecret: arn}, Options: map[string]string{}},
		{Node: "n2", Host: "b", Port: 5432, Database: "d", User: "u", Login: cluster.Login{Password: "p"}, Options: map[string]string{}},
		{Node: "n3", Host: "c", Port: 5432, Database: "d", User: "u", Login: cluster.Login{RDSIAM: true}, Options: map[string]string{"sslmode": "require"}},
	})
}

func TestTargets_ErrorsNameWhatIsAllowed(t *testing.T) {
	c := load(t, cluster.Options{Path: directory(t, map[string]string{"demo.json": demo})}, "demo")
	tests := []struct {
		name, dbname string
		nodes        []string
		want         string
	}{
		{"unknown database", "nope", nil, `dbname is "nope"; cluster demo has the databases "acedb", "other"`},
		{"unknown node", "", []string{"n1", "n9"}, `nodes has "n9", which is not a node of cluster demo; the active nodes are n1, n2, n2a`},
		{"inactive node", "", []string{"n1", "n3"}, `nodes has n3, which is not active in cluster demo; the active nodes are n1, n2, n2a`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.Targets(tt.dbname, tt.nodes)
			if fault.CodeOf(err) != fault.Invalid || fault.PublicMessage(err) != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
