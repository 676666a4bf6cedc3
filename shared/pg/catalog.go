package pg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

// catalogPath is the search_path of catalog queries. With it, the server writes every
// name outside pg_catalog with its schema, for example in the declared types of columns.
// So these texts are the same for every role.
const catalogPath = "pg_catalog, pg_temp"

// Describe reads the description of a table from the catalog, in one snapshot. A table
// that cannot be compared (it does not exist, is not a table, or is not readable) is an
// error with the reason. Which index serves as the key depends on all nodes, so package
// tableschema decides that.
//
// Describe also returns the digest that the server computes with seeds for a row of
// constants (see probeDigest). If two nodes return different digests, their hash
// functions differ, and the nodes must be compared by the portable digest
// (rowdigest.RowSHA256).
func (n *Node) Describe(ctx context.Context, schema, name string, seeds rowdigest.Seeds) (*table.Description, error) {
	tx, err := n.beginDescribing(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Close()
	c := catalogReader{tx: tx, schema: schema, name: name, seeds: seeds, d: &table.Description{Node: n.name, Address: n.address}}
	for _, step := range []func(context.Context) error{c.relation, c.details} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	c.d.CommitTimes = c.d.CommitTimes && c.d.Lockable && !c.d.PartitionsHidden
	return c.d, nil
}

// oldestServer is the version number of PostgreSQL 14. Older servers cannot hash records
// with a seed, and cannot read a page range without reading the rest of the table.
const oldestServer = 140000

// checkVersion returns an error if the server is older than the statements of this
// package require. version is the server_version_num, such as 150018.
func checkVersion(node string, version int) error {
	if version < oldestServer {
		return fault.New(fault.Invalid, "node %q runs PostgreSQL %d: version %d or newer is required",
			node, version/10000, oldestServer/10000)
	}
	return nil
}

// catalogReader is the state of one call of Describe.
type catalogReader struct {
	tx           *Tx
	schema, name string
	seeds        rowdigest.Seeds
	oid          string
	control      bool // the role may read pg_control
	d            *table.Description
}

const doingCatalog = "reading the catalog"

// relation reads the table's kind, the privileges of the role and the server's version.
// It returns an error if the table cannot be compared.
func (c *catalogReader) relation(ctx context.Context) error {
	var readable, usable, hidden bool
	err := c.tx.run(ctx, doingCatalog, query{fixed: true, sql: relationSQL, args: textArgs(c.schema, c.name), row: func(v [][]byte) error {
		c.oid, c.d.Kind = string(v[0]), string(v[1])
		c.d.Only = isTrue(v[2])
		usable, c.d.Lockable, readable = isTrue(v[3]), isTrue(v[4]), isTrue(v[10])
		c.d.Encoding = string(v[6])
		c.d.Superuser, c.d.Role = isTrue(v[7]), string(v[8])
		c.d.LargeObjects, hidden = isTrue(v[9]), isTrue(v[12])
		return errors.Join(readList(v[5], &c.d.Unreadable), readList(v[11], &c.d.Closed))
	}}, query{fixed: true, sql: "SELECT current_setting('server_version_num'), " + mayReadControl + ", current_setting('track_commit_timestamp') = 'on', " + tracksCommits + " AND " + mayReadCommits + ", " + sharedBuffers + ", pg_is_in_recovery()", row: func(v [][]byte) error {
		c.control = isTrue(v[1])
		c.d.TracksCommits, c.d.CommitTimes = isTrue(v[2]), isTrue(v[3])
		c.d.Standby = isTrue(v[5])
		var err, sizeErr error
		c.d.ServerVersion, err = strconv.Atoi(string(v[0]))
		c.d.SharedBuffers, sizeErr = strconv.ParseInt(string(v[4]), 10, 64)
		return errors.Join(err, sizeErr)
	}},
		// Reset search_path for a moment, to read the role's own one. The view pg_settings also
		// has it, but the server would compute all rows of the view.
		query{sql: "SET LOCAL search_path TO DEFAULT"},
		query{sql: "SELECT pg_catalog.current_setting('search_path')", row: func(v [][]byte) error {
			c.d.UserPath = string(v[0])
			return nil
		}},
		query{sql: "SET LOCAL search_path TO " + catalogPath})
	if err != nil {
		return err
	}
	if err := checkVersion(c.d.Node, c.d.ServerVersion); err != nil {
		return err
	}

	relation := table.Name(c.schema, c.name)
	switch {
	case c.oid == "":
		return fault.New(fault.Invalid, "node %q: table %s does not exist in database %s", c.d.Node, relation, c.tx.conn.Conn().Config().Database)
	case c.d.Kind != "r" && c.d.Kind != "p":
		return fault.New(fault.Invalid, "node %q: %s is a %s: only tables and partitioned tables can be compared", c.d.Node, relation, kindName(c.d.Kind))
	case !usable || !readable || hidden:
		return c.denied(usable, readable, hidden)
	}

	return nil
}

// denied returns the error of a role that may not read the table. The error names the
// missing privileges. usable means that the role may use the table's schema. readable
// means that it may read at least one column. hidden means that row security policies
// would hide rows from it.
func (c *catalogReader) denied(usable, readable, hidden bool) error {
	missing := table.Grants{Role: c.d.Role, Table: table.Name(c.schema, c.name)}
	if !usable {
		missing.Schemas = []string{c.schema}
	}
	missing.Add(table.Grants{Schemas: c.d.Closed})
	missing.Need("SELECT", c.d.Unreadable, readable)
	if hidden {
		missing.Statements = append(missing.Statements, fmt.Sprintf("ALTER ROLE %s BYPASSRLS /* row-level security of %s would hide rows from it */",
			table.Quote(c.d.Role), missing.Table))
	}
	if missing.IsZero() {
		// The privilege functions of PostgreSQL do not use the snapshot: they see a GRANT that
		// was committed during the statement.
		return fault.New(fault.Unavailable, "node %q: role %s may not read table %s, but lacks no privilege on a column: its privileges were just changed",
			c.d.Node, table.Quote(c.d.Role), missing.Table)
	}

	err := &table.DeniedError{Node: c.d.Node, Missing: missing}
	return fault.Wrap(err, fault.Invalid, "%s", err.Error())
}

// details reads types, columns, indexes, partitions, the planner's row estimate and the
// digest of probeDigest in one round trip. The planner computes its estimate from the
// size of the table's file, so even a table that was never analyzed has one.
func (c *catalogReader) details(ctx context.Context) error {
	types := typeRows{}
	var columns []columnRow
	var plan []byte
	var server []query
	if c.control {
		server = append(server, c.tx.controlQuery())
	}

	err := c.tx.call(ctx, doingCatalog, table.EndTransaction, append(server,
		query{fixed: true, sql: typesSQL, args: textArgs("{" + c.oid + "}"), row: func(v [][]byte) error {
			t, err := readType(v)
			types[t.oid] = t
			return err
		}},
		query{fixed: true, sql: columnsSQL(c.d.ServerVersion), args: textArgs(c.oid), row: func(v [][]byte) error {
			columns = append(columns, readColumn(v))
			return nil
		}},
		query{fixed: true, sql: indexesSQL, args: textArgs("{" + c.oid + "}"), row: func(v [][]byte) error {
			index, err := readIndex(v)
			c.d.Indexes = append(c.d.Indexes, index)
			return err
		}},
		query{fixed: true, sql: indexOrdersSQL(c.d.ServerVersion), args: textArgs(c.oid), row: func(v [][]byte) error {
			c.d.IndexOrders = append(c.d.IndexOrders, readIndexOrder(v))
			return nil
		}},
		query{fixed: true, sql: partitionsSQL, args: textArgs(c.oid), row: func(v [][]byte) error {
			return c.addPartition(v)
		}},
		filesQuery(table.Quote(c.schema)+"."+table.Quote(c.name), c.setFiles),
		explain("SELECT 1 FROM "+c.d.Relation(c.schema, c.name), &plan),
		query{sql: "SELECT " + probeDigest(c.seeds), row: func(v [][]byte) error {
			c.d.Probe = string(v[0])
			return nil
		}},
	)...)
	if err != nil {
		return err
	}

	c.d.Server = c.tx.found
	if c.d.RowEstimate, err = planRows(c.d.Node, plan); err != nil {
		return err
	}

	for _, col := range columns {
		t, labels := types.resolve(col.typeOID)
		col.Type, col.Labels = t, labels
		c.d.Columns = append(c.d.Columns, col.Column)
	}

	return nil
}

// setFiles records the table's files. It returns an error if the table's name now belongs
// to another table than when Describe began.
func (c *catalogReader) setFiles(files table.Files) error {
	if files.OID != c.oid {
		return fault.New(fault.Unavailable, "node %q: table %s was replaced while the catalog was read: start it again", c.d.Node, table.Name(c.schema, c.name))
	}
	c.d.Files = files
	return nil
}

func (c *catalogReader) addPartition(v [][]byte) error {
	relation := quote(string(v[0]), string(v[1]))
	if c.d.Kind == "r" {
		relation = "ONLY " + relation
	}
	if !isTrue(v[4]) {
		c.d.PartitionsHidden = true
		return nil
	}

	filenode, err := strconv.ParseUint(string(v[2]), 10, 32)
	if err != nil {
		return fmt.Errorf("filenode: %w", err)
	}

	pages, err := strconv.ParseInt(string(v[3]), 10, 64)
	c.d.Partitions = append(c.d.Partitions, table.Partition{Relation: relation, Filenode: uint32(filenode), Pages: pages})
	return err
}

// explain returns the query that reads the planner's plan of the statement sql. The row
// handler of the query appends the plan, as JSON, to plan. options are additional options
// of EXPLAIN.
func explain(sql string, plan *[]byte, options ...string) query {
	return query{sql: "EXPLAIN (" + strings.Join(append(options, "FORMAT JSON"), ", ") + ") " + sql, row: func(v [][]byte) error {
		*plan = append(*plan, v[0]...)
		return nil
	}}
}

// planRows returns the planner's row estimate in a plan that a query of explain returned.
func planRows(node string, plan []byte) (int64, error) {
	var plans []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		} `json:"Plan"`
	}
	if err := json.Unmarshal(plan, &plans); err != nil || len(plans) != 1 {
		return 0, fault.Wrap(err, fault.Internal, "node %q: EXPLAIN returned no row estimate", node)
	}
	return int64(plans[0].Plan.Rows), nil
}

// typeRow is a type as typesSQL returns it. elem and base are the OIDs of the element
// type and the base type; "0" means that there is none. resolve adds these two types to
// t.
type typeRow struct {
	oid, elem, base string
	t               rowdigest.Type
	labels          []string
}

type typeRows map[string]typeRow

func readType(v [][]byte) (typeRow, error) {
	r := typeRow{oid: string(v[0]), elem: string(v[5]), base: string(v[6])}
	oid, err := strconv.ParseUint(r.oid, 10, 32)
	if err != nil {
		return r, fmt.Errorf("type oid: %w", err)
	}

	r.t = rowdigest.Type{OID: uint32(oid), Schema: string(v[1]), Name: string(v[2]), SQL: string(v[3]), Kind: v[4][0], Extension: string(v[8])}
	if v[7] != nil {
		err = json.Unmarshal(v[7], &r.labels)
	}
	return r, err
}

// resolve returns the type with this OID, including its element and base types. It also
// returns the labels of the enum on which the type is based, or nil if it is based on no
// enum.
func (rows typeRows) resolve(oid string) (rowdigest.Type, []string) {
	row := rows[oid]
	t, labels := row.t, row.labels
	if row.elem != "0" {
		elem, elemLabels := rows.resolve(row.elem)
		t.Elem = &elem
		labels = append(labels, elemLabels...)
	}
	if row.base != "0" {
		base, baseLabels := rows.resolve(row.base)
		t.Base = &base
		labels = append(labels, baseLabels...)
	}
	return t, labels
}

type columnRow struct {
	table.Column
	typeOID string
}

func readColumn(v [][]byte) columnRow {
	col := columnRow{typeOID: string(v[2]), Column: table.Column{
		Name: string(v[0]), Declared: string(v[1]), NotNull: isTrue(v[3]), Generated: isTrue(v[4]),
		Expression: string(v[10]), Below: string(v[11]),
	}}
	if v[5] != nil {
		col.Collation = &table.Collation{
			Provider: string(v[5]), Locale: string(v[6]), Deterministic: isTrue(v[7]), Version: string(v[8]),
		}
		col.CollName = string(v[9])
	}
	return col
}

func readIndexOrder(v [][]byte) table.IndexOrder {
	return table.IndexOrder{
		Index: string(v[0]), Qualified: string(v[1]), Unique: isTrue(v[2]), Column: string(v[3]),
		Collation: table.Collation{
			Provider: string(v[4]), Locale: string(v[5]), Deterministic: isTrue(v[6]), Version: string(v[7]),
		},
		Recorded: string(v[8]), CollName: string(v[9]), Database: string(v[10]),
	}
}

func isTrue(v []byte) bool { return string(v) == "t" }

func kindName(relkind string) string {
	switch relkind {
	case "v":
		return "view"
	case "m":
		return "materialized view"
	case "f":
		return "foreign table"
	case "S":
		return "sequence"
	case "i", "I":
		return "index"
	case "c":
		return "composite type"
	}
	return "relation of kind " + relkind
}
