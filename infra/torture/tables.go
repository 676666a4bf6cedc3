package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"ace/infra/testkit/ruleoracle"
)

// firstDrift returns the earliest commit time of the rows that differ.
func firstDrift() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// table is a table that all nodes have.
type table struct {
	name    string
	columns string // definition of the columns of the key, one definition for all nodes
	key     []string
	value   string // values of the columns of the key for a number %[1]s
	rows    int
}

// The columns that are not in the key, and expressions of their values for a number i.
func valueColumns() []string { return []string{"v", "n", "f", "j", "at"} }

const columnDefinitions = `v text, n numeric, f boolean, j jsonb, at timestamptz`

func tables() map[string]table {
	return map[string]table{
		"still":   {name: "still", columns: `id bigint`, key: []string{"id"}, value: `%[1]s`, rows: 6000},
		"paged":   {name: "paged", columns: `id text COLLATE %[1]s`, key: []string{"id"}, value: `'Key ' || %[1]s`, rows: 3000},
		"fixed":   {name: "fixed", columns: `id int`, key: []string{"id"}, value: `%[1]s`, rows: 6000},
		"ruled":   {name: "ruled", columns: `a text COLLATE "C", b int`, key: []string{"b", "a"}, value: `'it''s', %[1]s`, rows: 4000},
		"busy":    {name: "busy", columns: `id bigint`, key: []string{"id"}, value: `%[1]s`, rows: 5000},
		"shaken":  {name: "shaken", columns: `id int`, key: []string{"id"}, value: `%[1]s`, rows: 3000},
		"reading": {name: "reading", columns: `id int`, key: []string{"id"}, value: `%[1]s`, rows: 8000},
		"altered": {name: "altered", columns: `id int`, key: []string{"id"}, value: `%[1]s`, rows: 2000},
	}
}

// create returns the statements that create and fill the table on a node.
func (t table) create(node int, tablespace string) []string {
	columns := t.columns
	if strings.Contains(columns, "%[1]s") {
		columns = fmt.Sprintf(columns, []string{`"C"`, `"C"`, `"en-x-icu"`}[node])
	}
	in := ""
	if tablespace != "" {
		in = " TABLESPACE " + tablespace
	}
	return []string{
		fmt.Sprintf(`CREATE TABLE %s (%s, %s, PRIMARY KEY (%s))%s`, t.name, columns, columnDefinitions, strings.Join(t.key, ", "), in),
		t.insert(fmt.Sprintf("generate_series(1, %d)", t.rows), 0),
		fmt.Sprintf(`SELECT pg_replication_origin_create('%[1]s') WHERE NOT EXISTS (SELECT FROM pg_replication_origin WHERE roname = '%[1]s')`, t.origin()),
		fmt.Sprintf(`ANALYZE %s; GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %s`, t.name, t.name, aceRole),
	}
}

// origin returns the replication origin of the sessions that make the table differ. It is
// only there to set commit times.
func (t table) origin() string { return "torture_" + t.name }

// insert returns a statement that inserts rows for the numbers of a set. Rows of the same
// flavour are equal on all nodes.
func (t table) insert(set string, flavour int) string {
	return fmt.Sprintf(`INSERT INTO %s SELECT %s, CASE i %% 7 WHEN 0 THEN NULL ELSE 'text ' || i || '/%d' END, (i + %d) / 4.0, i %% 3 = 0,
jsonb_build_object('i', i, 'tags', '["a", "b"]'::jsonb), timestamptz '2024-01-01 00:00:00+00' + i * interval '1 second' FROM %s i ON CONFLICT DO NOTHING`,
		t.name, fmt.Sprintf(t.value, "i"), flavour, flavour, set)
}

// number returns an expression with the number of a row.
func (t table) number() string {
	switch t.name {
	case "paged":
		return `substr(id, 5)::int`
	case "ruled":
		return `b`
	}
	return `id`
}

// keyText returns the text by which rows of several nodes are matched, from the values of
// the columns of the key.
func keyText(values []string) string { return strings.Join(values, "|") }

func (t table) allColumns() []string { return append(append([]string{}, t.key...), valueColumns()...) }

// content is what a node has, by key.
type content map[string]ruleoracle.Version

// state is what all nodes have.
type state []content

// read reads the table of a node, repeated until the node answers.
func (t table) read(ctx context.Context, n *node) (content, error) {
	texts := make([]string, 0, len(t.allColumns()))
	for _, column := range t.allColumns() {
		texts = append(texts, "t."+column+"::text")
	}
	texts = append(texts, `trunc(extract(epoch FROM w.timestamp) * 1000000)::text`, `coalesce(o.roname, '')`)
	rows, err := n.surely(ctx, fmt.Sprintf(`SELECT %s FROM %s t, pg_xact_commit_timestamp_origin(t.xmin) w
LEFT JOIN pg_replication_origin o ON o.roident = w.roident`, strings.Join(texts, ", "), t.name))
	if err != nil {
		return nil, err
	}
	found := content{}
	for _, row := range rows {
		columns := len(t.allColumns())
		micros, err := strconv.ParseInt(row[columns], 10, 64)
		found[keyText(row[:len(t.key)])] = ruleoracle.Version{
			Row: row[:columns:columns], Micros: micros, Timed: err == nil, Origin: row[columns+1], Copied: strings.HasPrefix(row[columns+1], "ace_repair_"),
		}
	}
	return found, nil
}

// readAll reads the table of all nodes.
func (t table) readAll(ctx context.Context, nodes []*node) (state, error) {
	all := make(state, len(nodes))
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range nodes {
		group.Go(func() (err error) {
			all[i], err = t.read(ctx, n)
			return err
		})
	}
	return all, group.Wait()
}

// drift makes rows of the nodes differ: updates, NULLs, deletions and insertions. It is
// no error if a statement fails because of a fault: read returns what the nodes have
// then.
func (t table) drift(ctx context.Context, r *rand.Rand, nodes []*node) {
	for range 3 + r.IntN(4) {
		n, every := nodes[r.IntN(len(nodes))], 11+r.IntN(400)
		where := fmt.Sprintf(`WHERE %s %% %d = %d`, t.number(), every, r.IntN(every))
		var sql string
		switch r.IntN(5) {
		case 0:
			sql = fmt.Sprintf(`UPDATE %s SET v = v || '!', n = n + 1 %s`, t.name, where)
		case 1:
			sql = fmt.Sprintf(`UPDATE %s SET v = NULL, j = '{"changed": %d}' %s`, t.name, r.IntN(3), where)
		case 2:
			sql = fmt.Sprintf(`DELETE FROM %s %s`, t.name, where)
		case 3:
			sql = fmt.Sprintf(`UPDATE %s SET f = NULL, at = at + interval '%d microseconds' %s`, t.name, 1+r.IntN(3), where)
		default:
			from := 100_000 + r.IntN(40)
			sql = t.insert(fmt.Sprintf("generate_series(%d, %d)", from, from+r.IntN(30)), r.IntN(2))
		}
		// The commit times are seconds or tens of seconds apart, for `newest`.
		at := fmt.Sprintf(`SELECT pg_replication_origin_xact_setup('0/1', timestamptz '%s' + interval '%g seconds'); `, firstDrift().Format(time.RFC3339),
			[]float64{0, 0.4, 20, 40, 60, 80}[r.IntN(6)])
		_, _ = n.query(ctx, `SELECT pg_replication_origin_session_setup('`+t.origin()+`')`, at+sql)
	}
}
