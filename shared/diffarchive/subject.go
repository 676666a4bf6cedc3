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

// Subject is what a request is about.
type Subject struct {
	Cluster  string
	Database string // the one meant, also where the request leaves it to the default
	Schema   string
	Table    string
}

// Check makes sure that a document is about the subject. What the document does not say (the peer's layouts lack much)
// is left to the request. Invalid, naming every difference.
func (s Subject) Check(summary difffile.Summary) error {
	var wrong []string
	differs := func(what, parameter, of, asked string) {
		if of != "" && of != asked {
			wrong = append(wrong, fmt.Sprintf("diff_file is of %s %s, %s is %s", what, of, parameter, asked))
		}
	}
	differs("cluster", "cluster_name", summary.ClusterName, s.Cluster)
	differs("database", "dbname", summary.DBName, s.Database)
	if summary.Table != "" {
		differs("table", "table_name", table.Name(cmp.Or(summary.Schema, s.Schema), summary.Table), table.Name(s.Schema, s.Table))
	}
	if len(wrong) > 0 {
		return fault.New(fault.Invalid, "%s", strings.Join(wrong, "; "))
	}
	return nil
}

// CheckNodes makes sure that the nodes of a document are among those that can be reached. Invalid, naming both.
func CheckNodes(documented []string, cluster string, active []string) error {
	for _, node := range documented {
		if !slices.Contains(active, node) {
			return fault.New(fault.Invalid, "diff_file is of the nodes %s, cluster %s has the active nodes %s",
				strings.Join(documented, ", "), cluster, strings.Join(active, ", "))
		}
	}
	return nil
}

// ServerOf returns what a document says of a server.
func ServerOf(server table.Identity) difffile.Server {
	return difffile.Server{
		SystemIdentifier: server.System, Timeline: server.Timeline, DatabaseOID: server.Database, Standby: server.Recovery,
	}
}

// CheckServer makes sure that a node is the database with which a document was made. What the document
// does not name is not checked. Conflict, naming both.
func CheckServer(summary difffile.Summary, d *table.Description) error {
	then, ok := summary.Servers[d.Node]
	was := table.Identity{System: then.SystemIdentifier, Database: then.DatabaseOID}
	if !ok || was.SameDatabase(d.Server) {
		return nil
	}
	return fault.New(fault.Conflict, "node %q (%s) is not the database that diff_file was made with: expected system identifier %s and database OID %s, found %s and %s; compare the table again",
		d.Node, d.Address, was.System, was.Database, d.Server.System, d.Server.Database)
}
