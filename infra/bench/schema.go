package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"ace/infra/testbed"
	"ace/shared/api"
)

// manyTables is a psql script that creates as many tables as its variable "tables"
// states, with 100 rows each.
const manyTables = `
SELECT format('CREATE TABLE t%s (id int PRIMARY KEY, name text NOT NULL, at timestamptz DEFAULT now(), amount numeric(12,2)); '
           || 'CREATE INDEX ON t%1$s (name)', i) FROM generate_series(1, :tables) i
\gexec
SELECT format('INSERT INTO t%s SELECT g, ''name'', ''2024-03-15'', 1.5 FROM generate_series(1, 100) g', i) FROM generate_series(1, :tables) i
\gexec
`

// runSchema measures schema-diff on a schema of small tables on two nodes.
func runSchema(ctx context.Context, tables, runs int) (err error) {
	dir, err := os.MkdirTemp("", "ace-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary, err := testbed.Build(ctx, dir)
	if err != nil {
		return err
	}
	nodes, err := testbed.StartNodes(ctx, 2, map[string]string{"shared_buffers": "256MB"})
	defer func() { err = errors.Join(err, nodes.Close()) }()
	if err != nil {
		return err
	}
	script := filepath.Join(dir, "tables.sql")
	if err := os.WriteFile(script, []byte(manyTables), 0o600); err != nil {
		return err
	}
	if _, err := nodes.All(ctx, "-v", fmt.Sprintf("tables=%d", tables), "-f", script); err != nil {
		return err
	}
	return measureSchema(ctx, binary, dir, nodes, runs)
}

func measureSchema(ctx context.Context, binary, dir string, nodes *testbed.Nodes, runs int) (err error) {
	data := filepath.Join(dir, "service")
	if err := testbed.Define(testbed.Clusters(data), "bench", nodes.Ports()); err != nil {
		return err
	}
	service, err := testbed.StartService(ctx, binary, data, testbed.Place{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()

	for _, compare := range []string{"structure", "data", "structure,data"} {
		for range runs {
			status, err := finish(ctx, service, "/ace/schema-diff?cluster_name=bench&schema_name=public&quiet=true&compare="+compare)
			if err != nil {
				return err
			}
			var result api.SetResult
			if err := json.Unmarshal(status.Result, &result); err != nil {
				return err
			}
			fmt.Printf("%-16s %5d tables identical, verdict %s: %7.2f s\n", compare, result.Tables.Identical, result.Verdict,
				status.FinishedAt.Sub(status.SubmittedAt.Time).Seconds())
		}
	}
	return nil
}
