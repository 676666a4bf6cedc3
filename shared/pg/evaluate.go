package pg

import (
	"context"
	"fmt"
	"strings"

	"ace/shared/table"
)

// The functions of this file evaluate expressions over versions of rows that are sent as
// parameters. They read no row of a table themselves. Each one runs in a read-only
// transaction of its own, which is rolled back.

// CheckWhere lets the server's parser check that a text is one boolean expression over
// the versions of the nodes. The check is that of CheckFilter. The statement that is
// checked has no parameters and no other names than those of the nodes and columns, so
// the expression can refer to nothing else.
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
// nil version means that the node lacks the row, and all of its columns are NULL.
func (n *Node) MatchWhere(ctx context.Context, e table.Evaluation, where string, rows [][]table.Row) ([]bool, error) {
	from, joins, args := make([]string, len(e.Nodes)), make([]string, len(e.Nodes)), [][]byte(nil)
	names := table.Source{Alias: strings.Join(e.Nodes, "."), Filter: where} // uniqueName returns names that occur in neither
	first := ""
	for node, name := range e.Nodes {
		list := uniqueName(names, fmt.Sprintf("list%d", node+1))
		p := versionParams(e)
		columns := make([]string, len(p))
		for i, c := range e.Columns {
			columns[i] = list + "." + uniqueName(names, p[i].name) + collate(c) + " AS " + c.Name
		}

		from[node] = fmt.Sprintf("%s AS %s(%s)", p.list(len(args)+1), list, commaList(prefixed(names, append(p.names(), "ord"))))
		if ord := list + "." + uniqueName(names, "ord"); node == 0 {
			first = ord
		} else {
			from[node] = "JOIN " + from[node] + " ON " + ord + " OPERATOR(pg_catalog.=) " + first
		}
		joins[node] = fmt.Sprintf("CROSS JOIN LATERAL (SELECT %s OFFSET 0) AS %s", commaList(columns), quote(name))
		args = append(args, p.ofRows(versionsOf(rows, node, len(p)))...)
	}

	matched := make([]bool, len(rows))
	err := n.evaluate(ctx, e, "evaluating where", query{
		sql:  "SELECT " + first + " FROM " + strings.Join(from, " ") + " " + strings.Join(joins, " ") + " WHERE (\n" + where + "\n)",
		args: args,
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

// Extremes returns for each element of values the index of its least value or, if
// greatest is set, of its greatest value, by the order of the column's type. Of equal
// values, it is the first. Each element must have a value that is not NULL, and all
// elements must have the same length.
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

// versionParams returns the columns of a list of versions.
func versionParams(e table.Evaluation) params {
	p := make(params, len(e.Columns))
	for i, name := range list("v", len(p)) {
		p[i] = param{name, e.Columns[i].Type, e.Columns[i].Parse}
	}
	return p
}

// versionsOf returns, for each row, the version of the node with the index node. A
// missing version becomes a row of NULLs.
func versionsOf(rows [][]table.Row, node, columns int) []table.Row {
	none := make(table.Row, columns)
	versions := make([]table.Row, len(rows))
	for i, row := range rows {
		if versions[i] = row[node]; versions[i] == nil {
			versions[i] = none
		}
	}
	return versions
}

// prefixed returns each name with the prefix that uniqueName adds.
func prefixed(s table.Source, names []string) []string {
	unique := make([]string, len(names))
	for i, name := range names {
		unique[i] = uniqueName(s, name)
	}
	return unique
}
