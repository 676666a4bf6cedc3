package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"ace/infra/testbed"
	"ace/infra/testkit/pgserver"
	"ace/shared/rowdigest"
)

// digestRounds is the number of rounds in which the candidates for the row digest take
// turns.
const digestRounds = 9

// digestTable creates the table whose rows are digested by each candidate: one column of
// each of the most common types.
const digestTable = `
CREATE TABLE mixed AS SELECT g AS i4, g * 7919::bigint << 20 AS i8, md5(g::text) AS tx, timestamptz '2024-03-15' + g * interval '1.234567 s' AS ts,
	(g * 1.37)::numeric(12, 2) AS nu, md5(g::text)::uuid AS uu, g % 2 = 0 AS bo, (g * 1.37)::float8 AS f8,
	jsonb_build_object('a', g, 'b', 'x') AS jb FROM generate_series(1, 100000) g`

// digestRow is a row of the printed table: some columns of the table mixed.
type digestRow struct{ name, raw, exprs string } // exprs are the expressions of package rowdigest

func digestRows() []digestRow {
	const mixed = "i8, i4, ts, nu, bo, tx, uu"
	return []digestRow{
		{"int4", "i4", "i4"},
		{"int8", "i8", "int8send(i8)"},
		{"timestamptz", "ts", "timestamptz_send(ts)"},
		{"numeric", "nu", "numeric_send(nu)"},
		{"text", "tx", "tx"},
		{"uuid", "uu", "uu"},
		{"float8", "f8", "float8send(f8)"},
		{"jsonb", "jb", "jsonb_send(jb)"},
		{mixed, mixed, "int8send(i8), i4, timestamptz_send(ts), numeric_send(nu), bo, tx, uu"},
	}
}

// digestCandidate is an expression for the digest of a row. The first candidate is the
// expression that ACE uses; the time of the others is relative to it.
type digestCandidate struct {
	name string
	expr func(r digestRow) string // empty if the candidate is not possible for these columns
}

func digestCandidates() []digestCandidate {
	inner := func(exprs string) string { return "hash_record_extended(ROW(" + exprs + "), 1)" }
	return []digestCandidate{
		{"ACE", func(r digestRow) string { return rowdigest.Row([]string{r.exprs}, rowdigest.Seeds{Inner: 1, Outer: 2}) }},
		{"read only", func(r digestRow) string { return "num_nulls(" + r.raw + ")::bigint" }},
		{"inner hash alone", func(r digestRow) string { return inner(r.exprs) }},
		{"int8send", func(r digestRow) string { return "hash_record_extended(ROW(int8send(" + inner(r.exprs) + ")), 2)" }},
		{"record_send", func(r digestRow) string { return "hash_record_extended(ROW(record_send(ROW(" + r.raw + "))), 1)" }},
		{"halves of int8", func(r digestRow) string {
			if !strings.Contains(r.exprs, "int8send(i8)") {
				return ""
			}
			halves := strings.Replace(r.exprs, "int8send(i8)", "i8, (i8 >> 32)::int4", 1)
			return rowdigest.Row([]string{halves}, rowdigest.Seeds{Inner: 1, Outer: 2})
		}},
	}
}

// runDigests measures the candidates for the row digest on every installed version of
// PostgreSQL, and prints a table for each version.
func runDigests(ctx context.Context) error {
	for _, installation := range pgserver.EveryMajor() {
		if err := measureDigests(ctx, installation); err != nil {
			return fmt.Errorf("%s: %w", filepath.Dir(installation.BinDir), err)
		}
	}
	return nil
}

func measureDigests(ctx context.Context, installation pgserver.Installation) (err error) {
	nodes, err := testbed.StartNodesOf(ctx, installation, 1, map[string]string{
		"shared_buffers": "256MB", "jit": "off", "max_parallel_workers_per_gather": "0",
	})
	defer func() { err = errors.Join(err, nodes.Close()) }()
	if err != nil {
		return err
	}
	if _, err := nodes.One(ctx, 0, "-c", digestTable, "-c", "VACUUM ANALYZE mixed"); err != nil {
		return err
	}

	fmt.Printf("\n| PostgreSQL %d |", installation.Major)
	for _, c := range digestCandidates() {
		fmt.Printf(" %s |", c.name)
	}
	fmt.Println("\n|---|" + strings.Repeat("---:|", len(digestCandidates())))
	for _, r := range digestRows() {
		if err := measureRow(ctx, nodes, r); err != nil {
			return err
		}
	}
	return nil
}

// measureRow prints the median time of each candidate: in milliseconds for the first one,
// and relative to the first one for the others.
func measureRow(ctx context.Context, nodes *testbed.Nodes, r digestRow) error {
	candidates := digestCandidates()
	times := make([][]float64, len(candidates))
	for range digestRounds {
		for i, c := range candidates {
			expr := c.expr(r)
			if expr == "" {
				continue
			}
			plan, err := nodes.One(ctx, 0, "-c", "EXPLAIN (ANALYZE, TIMING OFF) SELECT count(*), bit_xor("+expr+") FROM mixed")
			if err != nil {
				return err
			}
			took, err := executionTime(plan)
			if err != nil {
				return err
			}
			times[i] = append(times[i], took)
		}
	}

	first := median(slices.Clone(times[0]))
	fmt.Printf("| %s | %.0f ms |", r.name, first*1000)
	for i := range candidates[1:] {
		if of := times[i+1]; len(of) > 0 {
			fmt.Printf(" %.2f |", median(of)/first)
		} else {
			fmt.Print(" |")
		}
	}
	fmt.Println()
	return nil
}
