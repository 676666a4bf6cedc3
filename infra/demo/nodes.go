package main

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

	"ace/shared/pg/pgserver"
)

const nodeCount = 3

// nodes are the cluster's servers.
type nodes struct {
	servers []*pgserver.Server
	psql    string
}

// startNodes starts the servers, loads the table on each and writes the cluster's definition.
func startNodes(ctx context.Context, dir string) (*nodes, error) {
	n := &nodes{}
	installations := pgserver.Installations()
	if len(installations) == 0 {
		return n, errors.New("no PostgreSQL is installed: run `make deps`")
	}
	n.psql = filepath.Join(installations[0].BinDir, "psql")
	for range nodeCount {
		server, err := pgserver.Start(ctx, pgserver.Options{Installation: installations[0]})
		if err != nil {
			return n, err
		}
		n.servers = append(n.servers, server)
	}
	group, loading := errgroup.WithContext(ctx)
	for _, server := range n.servers {
		group.Go(func() error {
			if err := n.sql(loading, server, "postgres", "-c", "CREATE DATABASE shop"); err != nil {
				return err
			}
			return n.sql(loading, server, "shop", "-f", "testdata/demo/customers.sql")
		})
	}
	if err := group.Wait(); err != nil {
		return n, err
	}
	return n, n.define(dir)
}

// drift makes the nodes differ.
func (n *nodes) drift(ctx context.Context) error {
	return errors.Join(
		n.sql(ctx, n.servers[1], "shop", "-f", "testdata/demo/drift-n2.sql"),
		n.sql(ctx, n.servers[2], "shop", "-f", "testdata/demo/drift-n3.sql"))
}

// sql runs psql.
func (n *nodes) sql(ctx context.Context, server *pgserver.Server, database string, args ...string) error {
	args = append([]string{
		"-X", "-q", "-v", "ON_ERROR_STOP=1",
		"-h", pgserver.Host, "-p", strconv.Itoa(server.Port()), "-U", pgserver.Superuser, "-d", database,
	}, args...)
	output, err := exec.CommandContext(ctx, n.psql, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("psql: %w: %s", err, output)
	}
	return nil
}

// define writes the cluster's definition as pgEdge clusters have it.
func (n *nodes) define(dir string) error {
	type object = map[string]any
	var groups []object
	for i, server := range n.servers {
		groups = append(groups, object{
			"name": fmt.Sprintf("n%d", i+1), "is_active": "on", "public_ip": pgserver.Host, "port": strconv.Itoa(server.Port()),
		})
	}
	definition, err := json.MarshalIndent(object{
		"cluster_name": "demo",
		"pgedge":       object{"databases": []object{{"db_name": "shop", "db_user": pgserver.Superuser, "db_password": "not-needed"}}},
		"node_groups":  groups,
	}, "", "  ")
	if err != nil {
		return err
	}
	clusters := filepath.Join(dir, "clusters")
	if err := os.Mkdir(clusters, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(clusters, "demo.json"), definition, 0o600)
}

// close stops and removes the servers.
func (n *nodes) close() error {
	var errs []error
	for _, server := range n.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}
