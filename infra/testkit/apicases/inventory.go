package apicases

import (
	"slices"
	"strings"
)

const (
	clusterList  = "/ace/clusters"
	clusterCheck = "/ace/cluster-check"
	tableList    = "/ace/tables"
)

// BadInventory returns requests about clusters and lists of tables that must be refused.
func BadInventory() []Case {
	return slices.Concat(badClusters(clusterList), badClusters(clusterCheck), badTableList())
}

// badClusters returns requests for a path whose only parameter is an optional
// cluster_name.
func badClusters(path string) []Case {
	const allowed = "; the parameters are cluster_name"
	name := strings.TrimPrefix(path, "/ace/")
	return []Case{
		getFrom(path, name+" with a path as cluster", "cluster_name=../etc", `cluster_name is "../etc"`+allowedCluster),
		getFrom(path, name+" with an empty cluster", "cluster_name=", "cluster_name is given without a value"),
		getFrom(path, name+" with two clusters", "cluster_name=demo&cluster_name=demo", "cluster_name is given 2 times; give it once"),
		getFrom(path, name+" with a misspelt parameter", "cluster=demo", `unknown parameter "cluster" (did you mean cluster_name?)`+allowed),
		getFrom(path, name+" with another parameter", "check=true", `unknown parameter "check"`+allowed),
		{Name: path + " by PUT", Method: "PUT", Path: path, Status: 405, Error: `method "PUT" is not supported; use GET, HEAD, POST`},
	}
}

func badTableList() []Case {
	const (
		ready   = "cluster_name=demo"
		allowed = "; the parameters are cluster_name, dbname, schema, limit, after"
		after   = "; it must be the value of next of the previous page"
		schema  = `; it must be a schema as SQL writes it, such as public or "My Schema"`
		limit   = "; it must be a whole number from 1 to 1000"
	)
	get := func(name, rawQuery, message string) Case { return getFrom(tableList, name, rawQuery, message) }
	return []Case{
		get("tables of no cluster", "", "cluster_name is required"),
		get("tables of a path", "cluster_name=../etc", `cluster_name is "../etc"`+allowedCluster),
		get("tables of an empty database", ready+"&dbname=", "dbname is given without a value"),
		get("tables of two schemas", ready+"&schema=a,b", `schema is "a,b"`+schema),
		get("tables of a table", ready+"&schema=public.users", `schema is "public.users"`+schema),
		get("tables of an open quote", ready+"&schema=%22a", `schema is "\"a"`+schema),
		get("tables of a schema with a long name", ready+"&schema="+strings.Repeat("s", 64),
			`schema is "`+strings.Repeat("s", 60)+`"... (64 bytes)`+schema),
		get("tables of a schema with a NUL", ready+"&schema=%22a%00%22", "schema contains a NUL character, which PostgreSQL does not allow"),
		get("no tables", ready+"&limit=0", `limit is "0"`+limit),
		get("too many tables", ready+"&limit=1001", `limit is "1001"`+limit),
		get("tables after a name", ready+"&after=public.users", `after is "public.users"`+after),
		get("tables after half a name", ready+"&after=cHVibGlj", `after is "cHVibGlj"`+after),
		get("tables after no name", ready+"&after=AA", `after is "AA"`+after),
		get("tables of a node", ready+"&nodes=n1", `unknown parameter "nodes"`+allowed),
		get("several problems of a list of tables", "limit=x&after=%2F", `cluster_name is required; limit is "x"`+limit+`; after is "/"`+after),
	}
}
