package pg

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ace/shared/rawtext"
	"ace/shared/table"
)

const doingListing = "listing tables"

// listingSQL returns at most $4 tables and partitioned tables of the schema $1, or of all
// schemas if $1 is empty. It begins after the table $2.$3, in the order of schema and
// name. It leaves out partitions and tables of the system. The estimate of a table's rows
// needs no lock on the table: if the table was never analyzed, the estimate is the number
// of rows that the statistics system has counted.
const listingSQL = `
SELECT c.oid, n.nspname, c.relname,
       CASE c.relkind WHEN 'r' THEN ` + rowEstimate + ` ELSE (
           WITH RECURSIVE part(oid) AS (
               SELECT h.inhrelid FROM pg_inherits h WHERE h.inhparent = p.oid AND NOT h.inhdetachpending
             UNION
               SELECT h.inhrelid FROM part JOIN pg_inherits h ON h.inhparent = part.oid AND NOT h.inhdetachpending)
           SELECT sum(` + rowEstimate + `)::bigint FROM part JOIN pg_class c ON c.oid = part.oid WHERE c.relkind <> 'p') END
FROM (
    SELECT c.oid
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND (NOT c.relispartition OR $5::bool) AND n.nspname <> 'information_schema' AND NOT starts_with(n.nspname::text, 'pg_')
      AND ($1::text = '' OR n.nspname = $1::text)
      AND (n.nspname::text COLLATE "C", c.relname::text COLLATE "C") > ($2::text, $3::text)
    ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C"
    LIMIT $4::bigint) p
JOIN pg_class c ON c.oid = p.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C"`

// rowEstimate is an expression for the estimated number of rows of a relation c, or NULL.
const rowEstimate = `CASE WHEN c.reltuples > 0 THEN c.reltuples::bigint
    WHEN pg_stat_get_live_tuples(c.oid) > 0 THEN pg_stat_get_live_tuples(c.oid)
    WHEN c.reltuples = 0 THEN 0 END`

// indexedColumnsSQL returns the columns of the unique indexes of the tables with the OIDs
// $1.
const indexedColumnsSQL = `
SELECT DISTINCT a.attrelid, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid
FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey::smallint[]) k(attnum)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique
ORDER BY a.attrelid, a.attnum`

// ListTables returns the selected tables. It reads only catalogs that every role may
// read, and it waits for no lock on a table. No answer within 5 seconds is an error.
func (n *Node) ListTables(ctx context.Context, of table.Selection) ([]table.Listing, error) {
	return inTime(ctx, n, "did not answer", func(ctx context.Context) ([]table.Listing, error) { return n.listTables(ctx, of) })
}

func (n *Node) listTables(ctx context.Context, of table.Selection) ([]table.Listing, error) {
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Close()

	l := listing{node: n.name, byOID: map[string]*table.Description{}, types: typeRows{}}
	args := textArgs(rawtext.Bytes(of.Schema), rawtext.Bytes(of.AfterSchema), rawtext.Bytes(of.AfterName), strconv.Itoa(of.Limit), strconv.FormatBool(of.Partitions))
	if err := tx.run(ctx, doingListing, versionQuery(n.name, new(int)), query{sql: listingSQL, args: args, row: l.addTable}); err != nil {
		return nil, err
	}

	oids := textArgs("{" + strings.Join(l.oids, ",") + "}")
	err = tx.call(ctx, doingListing, table.EndTransaction,
		query{sql: indexesSQL, args: oids, row: l.addIndex},
		query{sql: typesSQL, args: oids, row: l.addType},
		query{sql: indexedColumnsSQL, args: oids, row: l.addColumn})
	return l.tables, err
}

// versionQuery returns a query that sets version to the server_version_num. It fails if
// the server is too old.
func versionQuery(node string, version *int) query {
	return query{sql: "SELECT current_setting('server_version_num')", row: func(v [][]byte) (err error) {
		if *version, err = strconv.Atoi(string(v[0])); err != nil {
			return err
		}
		return checkVersion(node, *version)
	}}
}

// listing is the state of one call of ListTables.
type listing struct {
	node   string
	tables []table.Listing
	oids   []string
	byOID  map[string]*table.Description
	types  typeRows
}

func (l *listing) addTable(v [][]byte) error {
	t := table.Listing{Schema: rawtext.Text(v[1]), Name: rawtext.Text(v[2]), Keys: &table.Description{Node: l.node}}
	if v[3] != nil {
		rows, err := strconv.ParseInt(string(v[3]), 10, 64)
		if err != nil {
			return fmt.Errorf("row estimate: %w", err)
		}
		t.RowEstimate = &rows
	}

	oid := string(v[0])
	l.oids = append(l.oids, oid)
	l.byOID[oid] = t.Keys
	l.tables = append(l.tables, t)
	return nil
}

func (l *listing) addIndex(v [][]byte) error {
	index, err := readIndex(v)
	if of := l.byOID[string(v[12])]; of != nil {
		of.Indexes = append(of.Indexes, index)
	}
	return err
}

func (l *listing) addType(v [][]byte) error {
	t, err := readType(v)
	l.types[t.oid] = t
	return err
}

// addColumn adds a column to the description of its table. addType must have been called
// for all types before, because addColumn looks up the column's type.
func (l *listing) addColumn(v [][]byte) error {
	t, _ := l.types.resolve(string(v[4]))
	if of := l.byOID[string(v[0])]; of != nil {
		of.Columns = append(of.Columns, table.Column{Name: string(v[2]), Declared: string(v[3]), Type: t})
	}
	return nil
}
