package diffarchive

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/table"
)

// Subject is the table that a request is about.
type Subject struct {
	Cluster  string
	Database string // the cluster's default database if the request names none
	Schema   string
	Table    string
}

// Check returns an error if a document is about another subject. The error is Invalid and
// names every difference. A field that is empty in the document is not compared. Many
// fields are empty in the documents of another tool.
func (s Subject) Check(summary difffile.Summary) error {
	var wrong []string
	differs := func(what, parameter, documented, asked string) {
		if documented != "" && documented != asked {
			wrong = append(wrong, fmt.Sprintf("diff_file is of %s %s, %s is %s", what, documented, parameter, asked))
		}
	}

	differs("cluster", "cluster_name", summary.ClusterName, s.Cluster)
	differs("database", "dbname", summary.DBName, s.Database)
	if summary.Table != "" {
		schema := cmp.Or(summary.Schema, s.Schema)
		differs("table", "table_name", table.Name(schema, summary.Table), table.Name(s.Schema, s.Table))
	}

	if len(wrong) > 0 {
		return fault.New(fault.Invalid, "%s", strings.Join(wrong, "; "))
	}
	return nil
}

// CheckNodes returns an error unless every node of a document is an active node of the
// cluster. The error is Invalid and names the nodes of the document and of the cluster.
func CheckNodes(documented []string, cluster string, active []string) error {
	for _, node := range documented {
		if !slices.Contains(active, node) {
			return fault.New(fault.Invalid, "diff_file is of the nodes %s, cluster %s has the active nodes %s",
				strings.Join(documented, ", "), cluster, strings.Join(active, ", "))
		}
	}
	return nil
}

// ServerOf returns server in the form in which a document describes it.
func ServerOf(server table.Identity) difffile.Server {
	return difffile.Server{
		SystemIdentifier: server.System, Timeline: server.Timeline, DatabaseOID: server.Database, Standby: server.Recovery,
	}
}

// CheckServer returns an error if the database that d describes is not the one from which
// the rows of the same node in a document were read. The error is a Conflict and names
// both databases. A field that the document does not have is not compared.
func CheckServer(summary difffile.Summary, d *table.Description) error {
	then, ok := summary.Servers[d.Node]
	was := table.Identity{System: then.SystemIdentifier, Database: then.DatabaseOID}
	if !ok || was.SameDatabase(d.Server) {
		return nil
	}
	return fault.New(fault.Conflict,
		"node %q (%s) is not the database that diff_file was made with: expected system identifier %s and database OID %s, "+
			"found %s and %s; compare the table again",
		d.Node, d.Address, was.System, was.Database, d.Server.System, d.Server.Database)
}
