package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ace/shared/rawtext"
)

// Querier runs statements in one read-only transaction with one snapshot, in which
// search_path is pinned to pg_catalog. args are the parameters of every statement, as
// texts. doing names the step in error messages. Query calls row for each result row,
// with the index of its statement. The values are valid only during the call of row.
type Querier interface {
	Query(ctx context.Context, doing string, statements []string, args [][]byte, row func(statement int, values [][]byte) error) error
}

// Read returns the structure of the schemas, or of all schemas of users if the list is
// empty. version is the server_version_num of the node, 140000 or later. The objects are
// in the order of their identities. A schema that does not exist is not an error: it has
// no objects.
func Read(ctx context.Context, node Querier, version int, schemas []string) (Catalog, error) {
	names, err := schemaNames(schemas)
	if err != nil {
		return Catalog{}, err
	}

	c := Catalog{Version: version}
	sql := statements()
	for i := range sql {
		sql[i] = forVersion(sql[i], version)
	}
	err = node.Query(ctx, "reading the structure", sql, [][]byte{names}, func(_ int, values [][]byte) error {
		o, err := readObject(values)
		c.Objects = append(c.Objects, o)
		return err
	})
	if err != nil {
		return Catalog{}, err
	}
	slices.SortFunc(c.Objects, func(a, b Object) int { return a.ID.Compare(b.ID) })

	c.Sequences, err = readSequences(ctx, node, names)
	return c, err
}

// schemaNames returns the parameter of the statements in sql.go: a JSON array of the
// names of the schemas, each in the encoding of the node (see package rawtext).
func schemaNames(schemas []string) ([]byte, error) {
	if schemas == nil {
		schemas = []string{}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(schemas); err != nil {
		return nil, fmt.Errorf("schemas: %w", err)
	}
	return []byte(rawtext.Bytes(strings.TrimSpace(b.String()))), nil
}

// forVersion returns the statement with an expression for $DATABASE_VERSION, the actual
// version of the database's collation. Before PostgreSQL 15, which lacks the function for
// it, the expression is NULL.
func forVersion(sql string, version int) string {
	actual := "pg_database_collation_actual_version(db.oid)"
	if version < 150000 {
		actual = "NULL"
	}
	return strings.ReplaceAll(sql, "$DATABASE_VERSION", actual)
}

// readObject converts a result row of the statements to an object. The object lacks the
// properties whose value is null.
func readObject(values [][]byte) (Object, error) {
	o := Object{
		ID: ID{
			Kind: Kind(values[0]), Schema: rawtext.Text(values[1]), Relation: rawtext.Text(values[2]), Name: rawtext.Text(values[3]),
		},
		Properties: map[Property]string{},
	}

	var properties map[Property]json.RawMessage
	if err := json.Unmarshal([]byte(rawtext.Text(values[4])), &properties); err != nil {
		return o, fmt.Errorf("properties of %s %s: %w", o.Kind, o.ID, err)
	}
	for name, raw := range properties {
		text, present, err := readProperty(raw)
		if err != nil {
			return o, fmt.Errorf("property %q of %s %s: %w", name, o.Kind, o.ID, err)
		}
		if present {
			o.Properties[name] = text
		}
	}
	return o, nil
}

// readProperty returns the value of a property from its JSON form: the content of a
// string, and the compact JSON of any other value. present is false if the value is null.
func readProperty(raw json.RawMessage) (text string, present bool, err error) {
	switch {
	case bytes.Equal(raw, []byte("null")):
		return "", false, nil
	case raw[0] == '"':
		err = json.Unmarshal(raw, &text)
		return text, true, err
	}

	var b bytes.Buffer
	err = json.Compact(&b, raw)
	return b.String(), true, err
}
