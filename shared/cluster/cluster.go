package cluster

import (
	"slices"
	"strconv"
	"strings"

	"ace/shared/fault"
)

// Cluster is a cluster's definition: the databases, which exist on every node, and the
// nodes in the order of the file.
type Cluster struct {
	Name      string
	Databases []Database // the first is the default database
	Nodes     []Node     // the active nodes
	Inactive  []string   // names of the nodes with is_active off
	// Warnings name the settings of the definition that have no effect.
	Warnings []string

	files files
}

// Database is a database of the cluster with its login.
type Database struct {
	Name string
	User string
	Login
	Options map[string]string // connection parameters of libpq, such as sslmode
	// KeyPassword is libpq's parameter sslpassword.
	KeyPassword Secret
}

// Node is one server. If its Database, User, Login or KeyPassword is set, it overrides
// that of the database. Each of its Options overrides the option of the database with the
// same name.
type Node struct {
	Name     string
	Host     string // name, address, or directory of a Unix socket
	HostKey  string // key of the definition from which Host was read: public_ip, private_ip, host or hostaddr
	Port     uint16
	Database string
	User     string
	Login
	Options     map[string]string
	KeyPassword Secret
}

// Target has everything that is needed to connect to one database on one node.
type Target struct {
	Node     string
	Host     string
	Port     uint16
	Database string
	User     string
	Login
	// Options are connection parameters of libpq, such as sslmode. For certificates and
	// keys that the definition does not name, Options has the files in the home directory
	// that libpq would use, such as ~/.postgresql/root.crt, if these exist.
	Options     map[string]string
	KeyPassword Secret // the password that decrypts the file sslkey
	// NoPassword explains why no password was found. The text is the end of a sentence, such
	// as "and there is no password file". It is "" if there is a password, or if the
	// password must be fetched from AWS.
	NoPassword string
}

// Database returns the database with this name, or the first database if name is "". An
// unknown name is a fault with code Invalid.
func (c Cluster) Database(name string) (Database, error) {
	if name == "" {
		return c.Databases[0], nil
	}
	names := make([]string, len(c.Databases))
	for i, db := range c.Databases {
		if db.Name == name {
			return db, nil
		}
		names[i] = strconv.Quote(db.Name)
	}
	return Database{}, fault.New(fault.Invalid, "dbname is %.100q; cluster %s has the databases %s", name, c.Name, strings.Join(names, ", "))
}

// Targets returns the connection targets of a database on the named nodes, in the
// cluster's order. An empty dbname means the first database, and nil nodes means all
// active nodes. An unknown or inactive node is a fault with code Invalid that names the
// active nodes.
func (c Cluster) Targets(dbname string, nodes []string) ([]Target, error) {
	db, err := c.Database(dbname)
	if err != nil {
		return nil, err
	}

	if err := c.checkNodes(nodes); err != nil {
		return nil, err
	}

	var targets []Target
	for _, node := range c.Nodes {
		if nodes == nil || slices.Contains(nodes, node.Name) {
			targets = append(targets, c.target(db, node))
		}
	}
	return targets, nil
}

// NodeNames returns the names of the active nodes in the cluster's order.
func (c Cluster) NodeNames() []string {
	names := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		names[i] = node.Name
	}
	return names
}

func (c Cluster) checkNodes(nodes []string) error {
	active := c.NodeNames()
	for _, name := range nodes {
		switch {
		case slices.Contains(active, name):
		case slices.Contains(c.Inactive, name):
			return fault.New(fault.Invalid, "nodes has %s, which is not active in cluster %s; the active nodes are %s",
				name, c.Name, strings.Join(active, ", "))
		default:
			return fault.New(fault.Invalid, "nodes has %.100q, which is not a node of cluster %s; the active nodes are %s",
				name, c.Name, strings.Join(active, ", "))
		}
	}
	return nil
}

func (c Cluster) target(db Database, node Node) Target {
	target := Target{
		Node:     node.Name,
		Host:     node.Host,
		Port:     node.Port,
		Database: firstOf(node.Database, db.Name),
		User:     firstOf(node.User, db.User),
		Login:    node.or(db.Login),
		Options:  merged(db.Options, node.Options),

		KeyPassword: firstOf(node.KeyPassword, db.KeyPassword),
	}
	c.files.complete(&target)
	return target
}

func firstOf[T ~string](values ...T) T {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// merged returns a new map with the options of base, overridden by those of override.
func merged(base, override map[string]string) map[string]string {
	options := make(map[string]string, len(base)+len(override))
	for _, layer := range []map[string]string{base, override} {
		for name, value := range layer {
			options[name] = value
		}
	}
	return options
}
