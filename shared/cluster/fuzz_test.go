package cluster

import (
	"strings"
	"testing"

	"ace/shared/fault"
)

// checkParsed checks what must hold for every result of a parser.
func checkParsed(t *testing.T, c Cluster, err error) {
	t.Helper()
	if err != nil {
		if fault.CodeOf(err) != fault.Invalid || !strings.HasPrefix(fault.PublicMessage(err), "file") {
			t.Fatalf("a malformed file returned %v, want a fault with code invalid that names the file", err)
		}
		return
	}
	targets, err := c.Targets("", nil)
	if err != nil || len(targets) != len(c.Nodes) || len(targets) == 0 {
		t.Fatalf("an accepted file returned %d targets, %v", len(targets), err)
	}
	for _, target := range targets {
		if target.Host == "" || target.Port == 0 || target.Database == "" || target.User == "" || strings.ContainsAny(target.Node, "/,") {
			t.Fatalf("an accepted file returned %+v", target)
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	f.Add(`{"pgedge": {"databases": [{"db_name": "d", "db_user": "u"}]}, "node_groups": [{"name": "n1", "public_ip": "h", "port": "5432"}]}`)
	f.Add(`{"pgedge": {"databases": [{"db_name": "d", "sslmode": "require"}]}, "node_groups": [{"name": "n1", "private_ip": "h", "port": 1,
		"db_user": "v", "db_name": "e", "is_active": "on", "sub_nodes": [{"name": "n2", "is_active": false}]}]}`)
	f.Add(`{"node_groups": [{"port": {}, "is_active": []}]}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, data string) {
		c, err := parseJSON("file", "demo", []byte(data))
		checkParsed(t, c, err)
	})
}

func FuzzParseService(f *testing.F) {
	f.Add("[demo]\ndbname=d\nuser=u\n[demo.n1]\nhost=h\nport=5433\n# comment\n[demo.n2]\nhost=/run\nsslmode=require\n")
	f.Add("[demo.]\n[demo..]\n[.]\n[]\n")
	f.Add("[demo.n1]\nhost=h\nhost=i\ndbname=d\nuser=u\nport=0\n")
	f.Add("=\n[")
	f.Fuzz(func(t *testing.T, data string) {
		c, found, err := parseService("file", "demo", []byte(data))
		if found || err != nil {
			checkParsed(t, c, err)
		}
	})
}
