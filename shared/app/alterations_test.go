//go:build !unit

package app_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// onceBefore returns an invoker that calls a function once, before the first unit of a
// phase.
func onceBefore(phase string, do func()) func(tablediff.Invoker) tablediff.Invoker {
	var once sync.Once
	return around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
		if u.Phase == phase {
			once.Do(do)
		}
		return next.Invoke(ctx, u)
	})
}

// A plan describes the table as it was when the plan was made. If the table is altered so
// that the ranges, pages or expressions of the plan mean something else on one node, the
// task must not report a match. Any other alteration must not fail the task.
func TestTableDiff_ATableAlteredDuringTheRunIsNeverAMatch(t *testing.T) {
	t.Parallel()
	plain := []string{`CREATE TABLE t (k text COLLATE "C" PRIMARY KEY, v int)`,
		`INSERT INTO t SELECT ` + mixedText + `, i FROM generate_series(1, 6000) i`}
	pages := []string{`CREATE TABLE t (k uuid, r int, filler text, PRIMARY KEY (k, r)) PARTITION BY LIST (r)`,
		`CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)`,
		`INSERT INTO t SELECT md5(i::text)::uuid, 1, repeat('f', 120) FROM generate_series(1, 60000) i`, `ANALYZE t`}
	partition := []string{`CREATE TABLE t2 (LIKE t INCLUDING ALL)`, `INSERT INTO t2 VALUES (gen_random_uuid(), 2, '')`,
		`ALTER TABLE t ATTACH PARTITION t2 FOR VALUES IN (2)`}
	keyed := []string{`CREATE TABLE t (k text COLLATE "C" NOT NULL, v int NOT NULL); CREATE UNIQUE INDEX a ON t (k); CREATE UNIQUE INDEX b ON t (v); CREATE UNIQUE INDEX c ON t (k)`,
		`INSERT INTO t SELECT ` + mixedText + `, i FROM generate_series(1, 6000) i`}
	for _, tt := range []struct {
		name   string
		create []string
		phase  string // alter runs on the first node before this phase
		alter  []string
		want   string
	}{
		{"the key gets another order", plain, "compare", []string{`ALTER TABLE t ALTER COLUMN k TYPE text COLLATE "en-x-icu"`}, `node "n1": the table was altered`},
		{"a column gets another type", plain, "compare", []string{`ALTER TABLE t ALTER COLUMN v TYPE bigint`}, `node "n1": the table was altered`},
		{"a column comes", plain, "compare", []string{`ALTER TABLE t ADD COLUMN w int`}, `node "n1" has "w", node "n2" does not`},
		{"the key goes", plain, "compare", []string{`ALTER TABLE t DROP CONSTRAINT t_pkey`}, "no primary key"},
		{"the index of the key goes, another one on its columns stays", keyed, "compare", []string{`DROP INDEX a`}, ""},
		{"an index that would have been the key comes", keyed, "compare", []string{`ALTER TABLE t ADD PRIMARY KEY (v)`}, ""},
		{"the key may hold NULL", keyed, "compare", []string{`ALTER TABLE t ALTER COLUMN k DROP NOT NULL`},
			`on (k), by which rows were matched so far, can serve as the key on every node: node "n1" has "a" (allows NULL in "k")`},
		{"a partition comes", pages, "buckets", partition, `node "n1": the table was altered`},
		{"the table is rewritten", plain, "compare", []string{`VACUUM FULL t`}, ""},
		{"an inheritance child comes", plain, "compare", []string{`CREATE TABLE child () INHERITS (t); INSERT INTO child VALUES ('only in the child', 1)`}, ""},
		{"an index comes", plain, "compare", []string{`CREATE INDEX ON t (v)`}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			c.ExecAll(t, tt.create...)
			s := apptest.New(t, c, apptest.Options{Invoker: onceBefore(tt.phase, func() { c.Exec(t, 0, tt.alter...) })})
			status := s.Wait(t, s.Submit(t, "public.t", oneByOne()...))
			if want := map[bool]string{true: api.StatusCompleted, false: api.StatusFailed}[tt.want == ""]; status.Status != want || !strings.Contains(status.Error, tt.want) {
				t.Errorf("ended %s: %q, want %s with %q", status.Status, status.Error, want, tt.want)
			}
			if tt.want == "" && !strings.Contains(string(status.Result), `"verdict":"match"`) {
				t.Errorf("the result is %s, want a match", status.Result)
			}
		})
	}
}
