// Package testbed starts throw-away PostgreSQL nodes and `ace serve` for the demo and the
// benchmark. The caller must close both, which removes all their files.
package testbed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"

	"ace/infra/testkit/pgserver"
)

// Database is the name of the only database of every node.
const Database = "shop"

// Nodes are the servers of a cluster, n1, n2 and so on.
type Nodes struct {
	Servers []*pgserver.Server
	psql    string
}

// StartNodes starts count servers of the oldest installed version of PostgreSQL, each
// with an empty database and with the given settings of postgresql.conf. The caller must
// close the result even if there is an error.
func StartNodes(ctx context.Context, count int, settings map[string]string) (*Nodes, error) {
	installations := pgserver.Installations()
	if len(installations) == 0 {
		return &Nodes{}, errors.New("no PostgreSQL is installed: run `make deps`")
	}
	return StartNodesOf(ctx, installations[0], count, settings)
}

// StartNodesOf is like StartNodes, with servers of one installation.
func StartNodesOf(ctx context.Context, installation pgserver.Installation, count int, settings map[string]string) (*Nodes, error) {
	n := &Nodes{}
	var err error
	if n.psql, err = pgserver.FindPsql(pgserver.Installations()); err != nil {
		return n, err
	}
	for range count {
		server, err := pgserver.Start(ctx, pgserver.Options{Installation: installation, Settings: settings})
		if err != nil {
			return n, err
		}
		n.Servers = append(n.Servers, server)
		if _, err := n.psqlOn(ctx, server, "postgres", "-c", "CREATE DATABASE "+Database); err != nil {
			return n, err
		}
	}
	return n, nil
}

// All runs psql with these arguments on every node at once. It returns what psql printed,
// for each node.
func (n *Nodes) All(ctx context.Context, args ...string) ([]string, error) {
	output := make([]string, len(n.Servers))
	group, ctx := errgroup.WithContext(ctx)
	for i := range n.Servers {
		group.Go(func() (err error) {
			output[i], err = n.One(ctx, i, args...)
			return err
		})
	}
	return output, group.Wait()
}

// One runs psql with these arguments on one node, counted from 0, and returns what psql
// printed.
func (n *Nodes) One(ctx context.Context, node int, args ...string) (string, error) {
	return n.psqlOn(ctx, n.Servers[node], Database, args...)
}

func (n *Nodes) psqlOn(ctx context.Context, server *pgserver.Server, database string, args ...string) (string, error) {
	args = append([]string{
		"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
		"-h", pgserver.Host, "-p", strconv.Itoa(server.Port()), "-U", pgserver.Superuser, "-d", database,
	}, args...)
	output, err := exec.CommandContext(ctx, n.psql, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, output)
	}
	return string(output), nil
}

// Ports returns the port of every node.
func (n *Nodes) Ports() []int {
	ports := make([]int, len(n.Servers))
	for i, server := range n.Servers {
		ports[i] = server.Port()
	}
	return ports
}

// Define writes the definition of a cluster to dir, in pgEdge's format. The nodes n1, n2
// and so on of the cluster listen on these ports.
func Define(dir, cluster string, ports []int) error {
	type object = map[string]any
	var groups []object
	for i, port := range ports {
		groups = append(groups, object{
			"name": fmt.Sprintf("n%d", i+1), "is_active": "on", "public_ip": pgserver.Host, "port": strconv.Itoa(port),
		})
	}
	definition, err := json.MarshalIndent(object{
		"cluster_name": cluster,
		"pgedge":       object{"databases": []object{{"db_name": Database, "db_user": pgserver.Superuser, "db_password": "not-needed"}}},
		"node_groups":  groups,
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, cluster+".json"), definition, 0o600)
}

// Close stops and removes the servers.
func (n *Nodes) Close() error {
	var errs []error
	for _, server := range n.Servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}
