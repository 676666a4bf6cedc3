package inventory

import (
	"context"
	"errors"

	"ace/shared/cluster"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/table"
)

// Remedy returns what to do about a node that could not be used because of err. It is ""
// if the server has answered, because then the message has the reason.
func Remedy(err error) string {
	var answer interface{ SQLState() string } // the error of a server has an SQLSTATE
	if fault.CodeOf(err) != fault.Unavailable || errors.As(err, &answer) {
		return ""
	}
	return unreachableRemedy
}

const unreachableRemedy = "check that the server runs and that this host may connect to it: address, firewall, pg_hba.conf"

// nodesAtOnce bounds the connections of one call. It is large, because nodes that do not
// answer must not delay the others.
const nodesAtOnce = 32

// Node is one database on one node. Each call takes a few seconds at most.
type Node interface {
	Login(ctx context.Context) (table.Login, error)
	Condition(ctx context.Context) (table.Condition, error)
	Abilities(ctx context.Context) (table.Abilities, error)
	ListTables(ctx context.Context, of table.Selection) ([]table.Listing, error)
}

// Connections returns access to nodes.
type Connections interface {
	// Node returns access to a node. It opens no connection.
	Node(target cluster.Target) (Node, error)
	// Close closes all connections.
	Close()
}

// Connector returns new Connections. The caller must close them.
type Connector func() Connections

// NodeCheck is the result of a connection to one database of a node.
type NodeCheck struct {
	Cluster  string
	Database string      // the name of the database in the cluster definition
	Login    table.Login // complete only if Err is nil
	Err      error       // nil, or the reason why the node cannot be used; its message names the node

	// Condition is set by Examine, and Abilities by Probe, if neither Err nor UnreadErr is
	// set.
	Condition table.Condition
	Abilities table.Abilities
	UnreadErr error // the reason why Condition or Abilities could not be read
}

// Check connects to every node, for every database of the clusters. It returns one result
// for each connection, in the order of the definitions. It leaves no connection open. It
// returns an error only if ctx ends.
func Check(ctx context.Context, connect Connector, clusters ...cluster.Cluster) ([]NodeCheck, error) {
	return visitAll(ctx, connect, clusters, func(context.Context, Node, *NodeCheck) {})
}

// Examine is like Check, and also reads the condition of each node.
func Examine(ctx context.Context, connect Connector, clusters ...cluster.Cluster) ([]NodeCheck, error) {
	return visitAll(ctx, connect, clusters, func(ctx context.Context, node Node, check *NodeCheck) {
		check.Condition, check.UnreadErr = node.Condition(ctx)
	})
}

// Probe is like Check, and also reads what the role may do on each node.
func Probe(ctx context.Context, connect Connector, clusters ...cluster.Cluster) ([]NodeCheck, error) {
	return visitAll(ctx, connect, clusters, func(ctx context.Context, node Node, check *NodeCheck) {
		check.Abilities, check.UnreadErr = node.Abilities(ctx)
	})
}

// visit completes the check of a node that has accepted the login.
type visit func(ctx context.Context, node Node, check *NodeCheck)

// visitAll implements Check, Examine and Probe.
func visitAll(ctx context.Context, connect Connector, clusters []cluster.Cluster, visit visit) ([]NodeCheck, error) {
	connections := connect()
	defer connections.Close()
	logins, err := loginsOf(clusters)
	if err != nil {
		return nil, err
	}

	checks, err := fanout.Map(ctx, nodesAtOnce, logins, func(ctx context.Context, l login) (NodeCheck, error) {
		return l.check(ctx, connections, visit), nil
	})
	if err != nil {
		return nil, err
	}

	for begin, end := 0, 0; begin < len(logins); begin = end {
		for end < len(logins) && logins[end].database == logins[begin].database {
			end++
		}
		refuseSameServers(checks[begin:end])
	}
	return checks, nil
}

// login is one connection to check: one node and one database of a cluster.
type login struct {
	cluster  string
	name     string // the name of the database in the cluster definition
	database int    // a number that is different for each database of each cluster definition
	target   cluster.Target
}

func loginsOf(clusters []cluster.Cluster) ([]login, error) {
	var logins []login
	databases := 0
	for _, c := range clusters {
		for _, database := range c.Databases {
			targets, err := c.Targets(database.Name, nil)
			if err != nil {
				return nil, err
			}
			for _, target := range targets {
				logins = append(logins, login{cluster: c.Name, name: database.Name, database: databases, target: target})
			}
			databases++
		}
	}
	return logins, nil
}

func (l login) check(ctx context.Context, connections Connections, visit visit) NodeCheck {
	check := NodeCheck{Cluster: l.cluster, Database: l.name, Login: table.Login{Node: l.target.Node}}
	node, err := connections.Node(l.target)
	if err != nil {
		check.Err = err
		return check
	}
	if check.Login, check.Err = node.Login(ctx); check.Err == nil {
		visit(ctx, node, &check)
	}
	return check
}

// refuseSameServers sets Err of each check whose connection reached the same database of
// the same server as an earlier check. The caller must pass only the checks of one
// configured database of one cluster, because different clusters may have nodes in
// common.
func refuseSameServers(checks []NodeCheck) {
	var different []*table.Description
	for i := range checks {
		if checks[i].Err != nil {
			continue
		}
		found := checks[i].Login
		different = append(different, &table.Description{Node: found.Node, Address: found.Address, Server: found.Server})
		if checks[i].Err = table.CheckServers(different); checks[i].Err != nil {
			different = different[:len(different)-1]
		}
	}
}
