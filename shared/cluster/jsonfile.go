package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"ace/shared/fault"
)

// jsonCluster has the members of a pgEdge cluster file that this package uses. See
// members.go for the others.
type jsonCluster struct {
	Name   string `json:"cluster_name"`
	PGEdge struct {
		Databases []jsonLogin `json:"databases"`
	} `json:"pgedge"`
	Nodes []jsonNode `json:"node_groups"`
}

// jsonLogin has the keys that the objects of databases and of nodes have in common. The
// values of a node override those of the database.
type jsonLogin struct {
	Database       string `json:"db_name"`
	User           string `json:"db_user"`
	Password       Secret `json:"db_password"`
	PasswordSecret string `json:"db_password_secret"`
	RDSIAM         bool   `json:"rds_iam"`
}

type jsonNode struct {
	jsonLogin
	Name      string     `json:"name"`
	IsActive  scalar     `json:"is_active"` // default: on, or the value of the parent node
	PublicIP  string     `json:"public_ip"`
	PrivateIP string     `json:"private_ip"`
	Port      scalar     `json:"port"` // the default is 5432
	SubNodes  []jsonNode `json:"sub_nodes"`

	members object // all members of the JSON object of the node
}

// attach sets n.members to members, the JSON object from which the node was decoded, with
// all its members. It does the same for the sub-nodes.
func (n *jsonNode) attach(members object) {
	n.members = members
	subNodes := members.objects("sub_nodes")
	for i := range n.SubNodes {
		n.SubNodes[i].attach(elementOf(subNodes, i))
	}
}

// parseJSON parses a pgEdge cluster file. where names the file in errors. name is the
// cluster's name, which the name of the file determines. If the file has a cluster_name,
// it must be equal to name.
func parseJSON(where, name string, data []byte) (Cluster, error) {
	var file jsonCluster
	if err := decodeJSON(where, data, &file); err != nil {
		return Cluster{}, err
	}

	if file.Name != "" && file.Name != name {
		return Cluster{}, fault.New(fault.Invalid, "%s: cluster_name is %.100q; it must be %s, like the name of the file", where, file.Name, name)
	}

	c := Cluster{Name: name}
	members := objectOf(data)
	pgEdge := objectOf(members.member("pgedge"))
	if err := c.checkMembers(where, "the file", members, fileLevel()); err != nil {
		return Cluster{}, err
	}
	if err := c.checkMembers(where, "pgedge", pgEdge, pgEdgeLevel()); err != nil {
		return Cluster{}, err
	}

	databases := pgEdge.objects("databases")
	for i, db := range file.PGEdge.Databases {
		if err := c.addJSONDatabase(where, db, elementOf(databases, i)); err != nil {
			return Cluster{}, err
		}
	}

	nodes := members.objects("node_groups")
	for i, node := range file.Nodes {
		node.attach(elementOf(nodes, i))
		if err := c.addJSONNode(where, node, true); err != nil {
			return Cluster{}, err
		}
	}
	return c, c.validate(where)
}

// addJSONDatabase adds the database db to the cluster. members is the JSON object from
// which db was decoded. Besides the members that db has as fields, members may contain
// connection parameters of libpq.
func (c *Cluster) addJSONDatabase(where string, db jsonLogin, members object) error {
	owner := "database " + strconv.Quote(db.Database)
	if err := c.checkMembers(where, owner, members, databaseLevel()); err != nil {
		return err
	}
	settings, err := members.settings(where, owner)
	if err != nil {
		return err
	}
	options, keyPassword, err := c.addOptions(where, owner, settings)
	c.Databases = append(c.Databases, Database{
		Name: db.Database, User: db.User, Login: db.login(), Options: options, KeyPassword: keyPassword,
	})
	return err
}

// addJSONNode adds a node, followed by its sub-nodes. active is the value of is_active
// for a node that does not set it. Sub-nodes inherit the value of their node.
func (c *Cluster) addJSONNode(where string, node jsonNode, active bool) error {
	if err := c.checkMembers(where, node.owner(), node.members, nodeLevel()); err != nil {
		return err
	}

	active, err := activeOf(where, node.owner(), node.IsActive, active)
	if err != nil {
		return err
	}

	if active {
		if err := c.addActive(where, node); err != nil {
			return err
		}
	} else {
		c.Inactive = append(c.Inactive, node.Name)
	}

	for _, sub := range node.SubNodes {
		if err := c.addJSONNode(where, sub, active); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) addActive(where string, node jsonNode) error {
	if node.Database != "" && len(c.Databases) != 1 {
		return fault.New(fault.Invalid, "%s: db_name of %s requires a cluster with exactly one database", where, node.owner())
	}

	host, key := node.PublicIP, "public_ip"
	if host == "" {
		host, key = node.PrivateIP, "private_ip"
	}

	port, err := portOf(where, node.owner(), string(node.Port))
	if err != nil {
		return err
	}

	settings, err := node.members.settings(where, node.owner())
	if err != nil {
		return err
	}
	options, keyPassword, err := c.addOptions(where, node.owner(), settings)
	if host == "" {
		host, key = options["hostaddr"], "hostaddr"
	}

	c.Nodes = append(c.Nodes, Node{
		Name: node.Name, Host: host, HostKey: key, Port: port,
		Database: node.Database, User: node.User, Login: node.login(), Options: options, KeyPassword: keyPassword,
	})
	return err
}

// owner returns the node as error messages name it, such as node "n1".
func (n jsonNode) owner() string { return "node " + strconv.Quote(n.Name) }

func (l jsonLogin) login() Login {
	return Login{Password: l.Password, PasswordSecret: l.PasswordSecret, RDSIAM: l.RDSIAM}
}

// decodeJSON decodes a file. Its error names the line and the column of the mistake.
func decodeJSON(where string, data []byte, into any) error {
	err := json.Unmarshal(data, into)
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		line, column := position(data, syntax.Offset)
		return fault.Wrap(err, fault.Invalid, "%s, line %d, column %d: not valid JSON: %v", where, line, column, syntax)
	case errors.As(err, &mismatch):
		line, column := position(data, mismatch.Offset)
		return fault.Wrap(err, fault.Invalid, "%s, line %d, column %d: %s must be %s",
			where, line, column, keyOf(mismatch), kindOf(mismatch.Type))
	}
	return fault.Wrap(err, fault.Invalid, "%s: not a cluster definition", where)
}

// keyOf returns the path of the key whose value has the wrong type, without the name of
// the embedded struct jsonLogin. It returns "the file" if the whole file has the wrong
// type.
func keyOf(mismatch *json.UnmarshalTypeError) string {
	return firstOf(strings.ReplaceAll(mismatch.Field, "jsonLogin.", ""), "the file")
}

// position converts an offset to a line and a column, which both start at 1. offset is
// the number of bytes up to and including the one at which the mistake was found.
func position(data []byte, offset int64) (line, column int) {
	before := data[:max(0, min(offset-1, int64(len(data))))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}
