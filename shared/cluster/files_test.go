package cluster_test

import (
	"path/filepath"
	"strings"
	"testing"

	"ace/shared/cluster"
	"ace/shared/fault"
)

func TestLoad_ReportsWhereAJSONFileIsWrong(t *testing.T) {
	const databases = `"pgedge": {"databases": [{"db_name": "d", "db_user": "u", "db_password": "p"}]}`
	node := func(rest string) string {
		return "{" + databases + `, "node_groups": [{"name": "n1", "public_ip": "h"` + rest + `}]}`
	}
	tests := []struct{ name, file, want string }{
		{"empty", "", ", line 1, column 1: not valid JSON: unexpected end of JSON input"},
		{"not JSON", "{\n  \"pgedge\": oops}", ", line 2, column 13: not valid JSON: invalid character 'o' looking for beginning of value"},
		{"something after it", small("h") + "\n}", ", line 2, column 1: not valid JSON: invalid character '}' after top-level value"},
		{"an array", "[]", ", line 1, column 1: the file must be an object"},
		{"a password that is a number", "{\n\"pgedge\": {\"databases\": [{\n\"db_password\": 424242}]}}", ", line 3, column 21: pgedge.databases.db_password must be a string"},
		{"a node's user that is a list", `{"node_groups": [{"db_user": []}]}`, ", line 1, column 30: node_groups.db_user must be a string"},
		{"no database", `{"node_groups": [{"name": "n1", "public_ip": "h"}]}`, ": no database is defined"},
		{"no node", "{" + databases + "}", ": no active node is defined"},
		{"all nodes off", node(`, "is_active": "off"`), ": no active node is defined"},
		{"another name", `{"cluster_name": "prod"}`, `: cluster_name is "prod"; it must be demo, like the name of the file`},
		{"a port too big", node(`, "port": 70000`), `: port of node "n1" is "70000"; it must be a number from 1 to 65535`},
		{"a port that is no number", node(`, "port": "http"`), `: port of node "n1" is "http"; it must be a number from 1 to 65535`},
		{"port zero", node(`, "port": 0`), `: port of node "n1" is "0"; it must be a number from 1 to 65535`},
		{"a doubtful switch", node(`, "is_active": "perhaps"`), `: is_active of node "n1" is "perhaps"; it must be "on" or "off"`},
		{"no address", "{" + databases + `, "node_groups": [{"name": "n1"}]}`, ": node n1 has no address"},
		{"several hosts", "{" + databases + `, "node_groups": [{"name": "n1", "public_ip": "a,b"}]}`, ": node n1 has several hosts; a node must be one server"},
		{"a slash in a name", "{" + databases + `, "node_groups": [{"name": "n/1", "public_ip": "h"}]}`,
			`: a node is named "n/1"; it must be 1 to 63 of the characters A-Z a-z 0-9 . _ - with a letter or digit first`},
		{"a node twice", "{" + databases + `, "node_groups": [{"name": "n1", "public_ip": "h"}, {"name": "n1", "public_ip": "i"}]}`, ": node n1 is defined twice"},
		{"a database twice", `{"pgedge": {"databases": [{"db_name": "d", "db_user": "u"}, {"db_name": "d", "db_user": "v"}]},
			"node_groups": [{"name": "n1", "public_ip": "h"}]}`, `: database "d" is defined twice`},
		{"no user", `{"pgedge": {"databases": [{"db_name": "d"}]}, "node_groups": [{"name": "n1", "public_ip": "h"}]}`,
			`: database "d" has no user for node n1`},
		{"a misspelt sslmode", node(`, "sslmode": "verify_full"`),
			`: sslmode of node "n1" is "verify_full"; it must be one of disable, allow, prefer, require, verify-ca, verify-full`},
		{"no ARN of a secret", node(`, "db_password_secret": "ace/password"`), `: db_password_secret of node n1 is "ace/password"; it must be an ARN such as ` +
			`arn:aws:secretsmanager:eu-central-1:123456789012:secret:ace-AbCdEf`},
		{"an ARN of something else", `{"pgedge": {"databases": [{"db_name": "d", "db_user": "u", "db_password_secret": "arn:aws:s3:::bucket"}]},
			"node_groups": [{"name": "n1", "public_ip": "h"}]}`, `: db_password_secret of database "d" is "arn:aws:s3:::bucket"; it must be an ARN such as ` +
			`arn:aws:secretsmanager:eu-central-1:123456789012:secret:ace-AbCdEf`},
		{"two ways to log in", node(`, "rds_iam": true, "db_password": "p"`),
			": node n1 has several ways to log in; set only one of db_password, db_password_secret and rds_iam"},
		{"a token that could go unencrypted", node(`, "rds_iam": true, "sslmode": "prefer"`),
			`: sslmode of node n1 is "prefer"; with rds_iam it must be one of require, verify-ca, verify-full`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := directory(t, map[string]string{"demo.json": tt.file})
			checkMalformed(t, dir, filepath.Join(dir, "demo.json")+tt.want)
		})
	}
}

func TestLoad_ReportsWhereAServiceFileIsWrong(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"no section", "host=a\n", ": line 1 is not in a section; each line must be a [section], name=value or a # comment"},
		{"no equals sign", "[demo.n1]\n\nhost\n", ": unable to parse line 3; each line must be a [section], name=value or a # comment"},
		{"a section twice", "[demo.n1]\n[demo.n1]\n", ": section [demo.n1] occurs twice"},
		{"no database", "[demo.n1]\nhost=a\nuser=u\n", ": no database is defined"},
		{"no node", "[demo]\nhost=a\nuser=u\ndbname=d\n", ": no active node is defined"},
		{"no host", "[demo.n1]\nuser=u\ndbname=d\n", ": node n1 has no address"},
		{"a port too big", "[demo.n1]\nhost=a\nuser=u\ndbname=d\nport=65536\n",
			`: port of section [demo.n1] is "65536"; it must be a number from 1 to 65535`},
		{"a misspelt setting", "[demo.n1]\nhost=a\nuser=u\ndbname=d\nsslmod=require\n",
			`: setting "sslmod" of section [demo.n1] is unknown; did you mean sslmode?`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := directory(t, map[string]string{"pg_service.conf": tt.file})
			checkMalformed(t, dir, filepath.Join(dir, "pg_service.conf")+tt.want)
		})
	}
}

func checkMalformed(t *testing.T, dir, want string) {
	t.Helper()
	_, err := cluster.NewSource(cluster.Options{Path: dir}).Load(t.Context(), "demo")
	if fault.CodeOf(err) != fault.Invalid || fault.PublicMessage(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if err != nil && strings.Contains(err.Error(), "424242") {
		t.Errorf("the error shows a password: %v", err)
	}
}

func TestLoad_ServiceSectionsInheritFromTheCluster(t *testing.T) {
	dir := directory(t, map[string]string{"pg_service.conf": `
# shared
[demo]
dbname = acedb
user = ace
password = a=b c
sslmode = verify-full

[demo.n1]
host = 10.0.0.1
[demo.n2]
host = 10.0.0.2
port = 5433
user = bob
dbname = acedb_copy
application_name = has space
[demo.eu.n1]
host = elsewhere
`})
	c := load(t, cluster.Options{Path: dir}, "demo")
	checkTargets(t, targets(t, c, "acedb"), []cluster.Target{
		{Node: "n1", Host: "10.0.0.1", Port: 5432, Database: "acedb", User: "ace", Login: cluster.Login{Password: "a=b c"},
			Options: map[string]string{"sslmode": "verify-full"}},
		{Node: "n2", Host: "10.0.0.2", Port: 5433, Database: "acedb_copy", User: "bob", Login: cluster.Login{Password: "a=b c"},
			Options: map[string]string{"sslmode": "verify-full", "application_name": "has space"}},
	})
}
