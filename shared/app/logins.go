package app

import (
	"context"
	"time"

	"ace/shared/cluster"
	"ace/shared/cluster/awslogin"
	"ace/shared/fanout"
	"ace/shared/pg"
	"ace/shared/table"
)

const (
	loginsAtOnce   = 8
	loginStatement = 5 * time.Second
)

// NodeCheck is the result of a connection to one node of a cluster.
type NodeCheck struct {
	Cluster  string
	Database string      // as the definition names it
	Login    table.Login // complete only if Err is nil
	Err      error       // nil, or the reason why the node cannot be used; its message names the node

	// Condition is set by ExamineNodes if neither Err nor ConditionErr is set.
	Condition    table.Condition
	ConditionErr error // the reason why Condition could not be read
}

// CheckNodes connects to every node, for every database of the clusters, and opens
// several connections at once. It returns one result for each connection, in the order of
// the definitions. Each check takes at most a few seconds. CheckNodes writes nothing and
// leaves no connection open. It returns an error only if ctx ends.
func CheckNodes(ctx context.Context, clusters ...cluster.Cluster) ([]NodeCheck, error) {
	return visitNodes(ctx, clusters, func(ctx context.Context, node *pg.Node, check *NodeCheck) {
		check.Login, check.Err = node.Login(ctx)
	})
}

// ExamineNodes is like CheckNodes, and also reads the condition of each node.
func ExamineNodes(ctx context.Context, clusters ...cluster.Cluster) ([]NodeCheck, error) {
	return visitNodes(ctx, clusters, func(ctx context.Context, node *pg.Node, check *NodeCheck) {
		if check.Login, check.Err = node.Login(ctx); check.Err == nil {
			check.Condition, check.ConditionErr = node.Condition(ctx)
		}
	})
}

// visit connects to a node and completes its check.
type visit func(ctx context.Context, node *pg.Node, check *NodeCheck)

// visitNodes implements CheckNodes.
func visitNodes(ctx context.Context, clusters []cluster.Cluster, visit visit) ([]NodeCheck, error) {
	pools := pg.NewPools(pg.Options{MaxConns: 1, StatementTimeout: loginStatement, Passwords: awslogin.New()})
	defer pools.Close()

	logins, err := loginsOf(clusters)
	if err != nil {
		return nil, err
	}

	checks, err := fanout.Map(ctx, loginsAtOnce, logins, func(ctx context.Context, l login) (NodeCheck, error) {
		return l.check(ctx, pools, visit), nil
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
	name     string // of the configured database
	database int    // number of the configured database, different for each database of each cluster
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

func (l login) check(ctx context.Context, pools *pg.Pools, visit visit) NodeCheck {
	check := NodeCheck{Cluster: l.cluster, Database: l.name, Login: table.Login{Node: l.target.Node}}
	node, err := pools.Node(l.target)
	if err != nil {
		check.Err = err
		return check
	}
	visit(ctx, node, &check)
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
