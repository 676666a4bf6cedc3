package pg

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// The functions of this file evaluate expressions over versions of rows that are sent as
// parameters. They read no row of a table themselves. Each one runs in a read-only
// transaction of its own, which is rolled back.

// CheckWhere lets the server's parser check that a text is one boolean expression over
// the versions of the nodes. It checks the text as CheckFilter does, in a statement whose
// only names are those of the nodes and columns. The statement has no parameters. So the
// expression can refer to nothing else.
func (n *Node) CheckWhere(ctx context.Context, e table.Evaluation, where string) error {
	columns := make([]string, len(e.Columns))
	for i, c := range e.Columns {
		columns[i] = "NULL::" + c.Type + collate(c) + " AS " + c.Name
	}
	versions := make([]string, len(e.Nodes))
	for i, node := range e.Nodes {
		versions[i] = "(SELECT " + commaList(columns) + " OFFSET 0) AS " + quote(node)
	}
	of := checked{name: "where", what: "one boolean SQL expression over the versions of the row", text: where}
	_, err := n.checkExpression(ctx, e.Access(), of, "SELECT 1 FROM "+strings.Join(versions, " CROSS JOIN ")+" WHERE ")
	return err
}

// MatchWhere returns for each row whether an expression that CheckWhere has accepted is
// true. False and NULL are not true. Each element of rows has the version of each node; a
// nil version means that the node lacks the row, and all of its columns are NULL. Only
// the columns to which the expression may refer are sent.
func (n *Node) MatchWhere(ctx context.Context, e table.Evaluation, where string, rows [][]table.Row) ([]bool, error) {
	versions := sentVersions{e: e, names: table.Source{Alias: strings.Join(e.Nodes, "."), Filter: where}}
	referred := references(e, where)
	if !slices.ContainsFunc(referred, func(columns []bool) bool { return slices.Contains(columns, true) }) {
		referred[0][0] = true // the list that numbers the rows
	}
	for node, columns := range referred {
		versions.add(node, columns, rows)
	}

	matched := make([]bool, len(rows))
	err := n.evaluate(ctx, e, "evaluating where", query{
		sql:  versions.sql(where),
		args: versions.args,
		row: func(v [][]byte) error {
			at, err := place(v[0], len(rows))
			if err == nil {
				matched[at] = true
			}
			return err
		},
	})
	return matched, err
}

// sentVersions builds the statement of MatchWhere.
type sentVersions struct {
	e     table.Evaluation
	names table.Source // uniqueName returns names that occur in neither Alias nor Filter
	lists []string     // the lists of the FROM clause
	joins []string     // the version of each node
	args  [][]byte
	first string // the column that numbers the rows
}

// add adds the version of a node. sent reports for each column whether it is sent. The
// others are NULL.
func (s *sentVersions) add(node int, sent []bool, rows [][]table.Row) {
	list := uniqueName(s.names, fmt.Sprintf("list%d", node+1))
	var p params
	columns := make([]string, len(s.e.Columns))
	first := len(s.args) + 1
	for i, c := range s.e.Columns {
		value := "NULL::" + c.Type
		if sent[i] {
			of := param{fmt.Sprintf("v%d", i+1), c.Type, c.Parse}
			p, s.args = append(p, of), append(s.args, of.ofVersions(rows, node, i))
			value = list + "." + uniqueName(s.names, of.name)
		}
		columns[i] = value + collate(c) + " AS " + c.Name
	}
	s.joins = append(s.joins, fmt.Sprintf("CROSS JOIN LATERAL (SELECT %s OFFSET 0) AS %s", commaList(columns), quote(s.e.Nodes[node])))
	if len(p) == 0 {
		return
	}

	from := fmt.Sprintf("%s AS %s(%s)", p.list(first), list, commaList(prefixed(s.names, append(p.names(), "ord"))))
	if ord := list + "." + uniqueName(s.names, "ord"); s.first == "" {
		s.first = ord
	} else {
		from = "JOIN " + from + " ON " + ord + " OPERATOR(pg_catalog.=) " + s.first
	}
	s.lists = append(s.lists, from)
}

func (s *sentVersions) sql(where string) string {
	return "SELECT " + s.first + " FROM " + strings.Join(s.lists, " ") + " " + strings.Join(s.joins, " ") + " WHERE (\n" + where + "\n)"
}

// ofVersions returns the values of the parameter: those of one column in the version that
// one node has of each row.
func (p param) ofVersions(rows [][]table.Row, node, column int) []byte {
	w := p.writer(2 + 8*len(rows))
	for _, versions := range rows {
		if version := versions[node]; version != nil {
			w.add(version[column])
		} else {
			w.add(nil)
		}
	}
	return w.end()
}

// KeysIn returns for each key whether it equals one of the keys in list, by the equality
// operators of the key's index. The node must be able to convert all of the texts.
func (n *Node) KeysIn(ctx context.Context, e table.Evaluation, keys, list []table.Key) ([]bool, error) {
	const these, those = "ace_keys", "ace_list"
	p, terms := make(params, len(e.Key)), make([]string, len(e.Key))
	for i, at := range e.Key {
		c := e.Columns[at]
		p[i] = param{fmt.Sprintf("k%d", i+1), c.Type, c.Parse}
		terms[i] = fmt.Sprintf("%s.%s%s %s %s.%s", these, p[i].name, collate(c), e.KeyEqual[i], those, p[i].name)
	}

	found := make([]bool, len(keys))
	err := n.evaluate(ctx, e, "comparing keys", query{
		sql: fmt.Sprintf("SELECT %s.ord FROM %s %s WHERE EXISTS (SELECT FROM %s %s WHERE %s)",
			these, p.list(1), these, p.list(len(p)+1), those, strings.Join(terms, " AND ")),
		args: append(p.ofKeys(keys), p.ofKeys(list)...),
		row: func(v [][]byte) error {
			at, err := place(v[0], len(keys))
			if err == nil {
				found[at] = true
			}
			return err
		},
	})
	return found, err
}

// ReadKeys returns an error unless the node can convert the texts of all keys to values
// of the key's types.
func (n *Node) ReadKeys(ctx context.Context, e table.Evaluation, keys []table.Key) error {
	to, rows := make([]table.Conversion, len(e.Key)), make([]table.Row, len(keys))
	for i, at := range e.Key {
		to[i] = e.Columns[at].Conversion
	}
	for i, key := range keys {
		for c := range key {
			rows[i] = append(rows[i], &key[c])
		}
	}
	tx, err := n.Begin(ctx, e.Access())
	if err != nil {
		return err
	}
	defer tx.Close()
	_, err = tx.Convert(ctx, to, rows)
	return err
}

// CheckOrder returns an error with code Invalid unless the type of a column has an order.
func (n *Node) CheckOrder(ctx context.Context, e table.Evaluation, column int) error {
	c := e.Columns[column]
	var plan []byte
	return n.evaluate(ctx, e, "looking for the order of column "+c.Name,
		explain(fmt.Sprintf("SELECT 1 FROM (SELECT NULL::%s%s AS v OFFSET 0) ace_list ORDER BY ace_list.v", c.Type, collate(c)), &plan))
}

// Extremes returns, for each element of values, the index of its least value by the order
// of the column's type. If greatest is set, it returns the index of the greatest value.
// Of equal values, the first counts. Each element must have a value that is not NULL, and
// all elements must have the same length.
func (n *Node) Extremes(ctx context.Context, e table.Evaluation, column int, greatest bool, values []table.Row) ([]int, error) {
	if len(values) == 0 {
		return nil, nil
	}
	c := e.Columns[column]
	p, candidates := make(params, len(values[0])), make([]string, len(values[0]))
	for i, name := range list("v", len(p)) {
		p[i] = param{name, c.Type, c.Parse}
		candidates[i] = fmt.Sprintf("(%d, ace_list.%s%s)", i+1, name, collate(c))
	}
	direction := "ASC"
	if greatest {
		direction = "DESC"
	}

	chosen := make([]int, 0, len(values))
	err := n.evaluate(ctx, e, "comparing values of column "+c.Name, query{
		// Unlike IS NOT NULL, IS DISTINCT FROM NULL is true for a composite value with a NULL
		// field.
		sql: fmt.Sprintf("SELECT (SELECT ace_value.i FROM (VALUES %s) ace_value(i, v) WHERE ace_value.v IS DISTINCT FROM NULL ORDER BY ace_value.v %s, ace_value.i LIMIT 1) FROM %s ace_list ORDER BY ace_list.ord",
			commaList(candidates), direction, p.list(1)),
		args: p.ofRows(values),
		row: func(v [][]byte) error {
			if len(chosen) == len(values) {
				return fault.New(fault.Internal, "more rows than were sent")
			}
			at, err := place(v[0], len(p))
			chosen = append(chosen, at)
			return err
		},
	})
	return chosen, err
}

// evaluate runs a query in a transaction of its own.
func (n *Node) evaluate(ctx context.Context, e table.Evaluation, doing string, q query) error {
	tx, err := n.Begin(ctx, e.Access())
	if err != nil {
		return err
	}
	defer tx.Close()
	return tx.call(ctx, doing, table.EndTransaction, q)
}

// collate returns the COLLATE clause by which a value has the collation of its column.
func collate(c table.Comparison) string {
	if c.Collation == "" {
		return ""
	}
	return " COLLATE " + c.Collation
}

// prefixed returns names that do not occur in the filter of s, see uniqueName.
func prefixed(s table.Source, names []string) []string {
	unique := make([]string, len(names))
	for i, name := range names {
		unique[i] = uniqueName(s, name)
	}
	return unique
}
