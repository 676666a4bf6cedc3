//go:build !unit

package rowdigest_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"ace/infra/testkit/pgtest"
	"ace/shared/rowdigest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var seeds = rowdigest.Seeds{Inner: -1234567890123456789, Outer: 42}

// pin makes a session write values as the sessions of a run do.
const pin = `SELECT set_config('client_encoding', 'UTF8', false), set_config('TimeZone', 'UTC', false),
	set_config('DateStyle', 'ISO', false), set_config('IntervalStyle', 'postgres', false),
	set_config('extra_float_digits', '1', false), set_config('bytea_output', 'hex', false),
	set_config('xmlbinary', 'base64', false), set_config('lc_monetary', 'C', false),
	set_config('standard_conforming_strings', 'on', false), set_config('transform_null_equals', 'off', false),
	set_config('row_security', 'off', false), set_config('max_parallel_workers_per_gather', '0', false),
	set_config('jit', 'off', false), set_config('search_path', 'pg_catalog, public', false)`

// session is a session on one node with pinned settings.
type session struct {
	t    *testing.T
	conn *pgx.Conn
}

func newSession(t *testing.T, c *pgtest.Cluster, node int) session {
	t.Helper()
	s := session{t: t, conn: c.Connect(t, node)}
	s.rows(pin)
	return s
}

// rows returns the result of a query as texts; NULL is pgtest.Null.
func (s session) rows(sql string, args ...any) [][]string {
	s.t.Helper()
	options := []any{pgx.QueryExecModeExec, pgx.QueryResultFormats{pgx.TextFormatCode}}
	rows, err := s.conn.Query(s.t.Context(), sql, append(options, args...)...)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, sql)
	}
	texts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]string, error) {
		var texts []string
		for _, raw := range row.RawValues() {
			text := pgtest.Null
			if raw != nil {
				text = string(raw)
			}
			texts = append(texts, text)
		}
		return texts, nil
	})
	if err != nil {
		s.t.Fatalf("%v\n%s", err, sql)
	}
	return texts
}

// column reads a column's description from the catalog.
func (s session) column(table, name string) rowdigest.Column {
	s.t.Helper()
	found := s.rows(`SELECT atttypid, coalesce(collisdeterministic, true)
		FROM pg_attribute LEFT JOIN pg_collation c ON c.oid = attcollation
		WHERE attrelid = $1::text::regclass AND attname = $2`, table, name)
	if len(found) != 1 {
		s.t.Fatalf("no column %s.%s", table, name)
	}
	return rowdigest.Column{Type: s.typeOf(found[0][0]), Deterministic: found[0][1] == "t"}
}

func (s session) typeOf(oid string) rowdigest.Type {
	s.t.Helper()
	row := s.rows(`SELECT nspname, typname, format_type(t.oid, -1), typtype,
			CASE WHEN typcategory = 'A' AND typtype = 'b' THEN typelem ELSE 0 END, typbasetype
		FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE t.oid::text = $1`, oid)[0]
	t := rowdigest.Type{Schema: row[0], Name: row[1], SQL: row[2], Kind: row[3][0]}
	if _, err := fmt.Sscan(oid, &t.OID); err != nil {
		s.t.Fatal(err)
	}
	if row[4] != "0" {
		elem := s.typeOf(row[4])
		t.Elem = &elem
	}
	if row[5] != "0" {
		base := s.typeOf(row[5])
		t.Base = &base
	}
	return t
}
