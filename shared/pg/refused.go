package pg

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"ace/shared/fault"
	"ace/shared/table"
)

// A node may store a value that it refuses as input: the constraint of a domain is NOT
// VALID or calls a function that fails now, or a regproc has the name of an overloaded
// function, which is ambiguous. So a row may exist although a statement cannot look it
// up, because the node refuses the text of the row's key. If the row were reported as
// missing, a difference could stay hidden, or a repair could delete the row on other
// nodes.

// usableKeys returns the keys that the node can read, and their indexes in keys, as
// readableKeys does. It also returns an error if the node refuses a key's value as input
// although a row of the table has this value in the same key column. So functions that
// look up rows must call usableKeys instead of readableKeys.
func (t *Tx) usableKeys(ctx context.Context, s table.Source, keys []table.Key, failed error) ([]table.Key, []int, error) {
	readable, places, misfits, err := t.readableKeys(ctx, keyParams(s), keys, failed)
	if err != nil {
		return nil, nil, err
	}
	return readable, places, t.checkRefused(ctx, s, keys, misfits)
}

// checkRefused returns an error if a row of the table has one of the misfits as its value
// in the same key column. misfits maps the index of a key in keys to the misfit of the
// key. For each key column that has misfits, and whose type can refuse a value that it
// stores, checkRefused scans the table once for the texts of these misfits.
func (t *Tx) checkRefused(ctx context.Context, s table.Source, keys []table.Key, misfits map[int]misfit) error {
	for c, of := range keyParams(s) {
		refused := map[string]error{}
		for place, m := range misfits {
			if m.column == c {
				refused[keys[place][c]] = m.err
			}
		}
		if len(refused) == 0 {
			continue
		}

		possible, err := t.mayRefuseStored(ctx, of.typ)
		if err != nil {
			return err
		}
		if !possible {
			continue
		}

		texts := slices.Sorted(maps.Keys(refused))
		stored, err := t.findText(ctx, s, s.Key[c], texts)
		if err != nil {
			return err
		}
		if stored >= 0 {
			reason := refused[texts[stored]]
			return fault.Wrap(reason, fault.Invalid, "node %q: rows of %s have the value %s in the key column %s, but the node does not accept that value as input (%s), so it cannot look them up: correct the value or the type",
				t.node.name, table.WithoutOnly(s.Relation), table.Key{texts[stored]}, s.Key[c], fault.PublicMessage(reason))
		}
	}
	return nil
}

// mayRefuseStoredSQL returns whether a type can refuse the text of a value that it
// stores. Enums and built-in types cannot, except the reg* types, whose values are names
// of objects.
const mayRefuseStoredSQL = `
WITH RECURSIVE part(type) AS (
    SELECT $1::pg_catalog.text::pg_catalog.regtype::pg_catalog.oid
  UNION
    SELECT inside.type
    FROM part
    JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) part.type
    CROSS JOIN LATERAL (
        SELECT t.typelem
      UNION ALL
        SELECT t.typbasetype
      UNION ALL
        SELECT r.rngsubtype FROM pg_catalog.pg_range r
        WHERE r.rngtypid OPERATOR(pg_catalog.=) t.oid OR r.rngmultitypid OPERATOR(pg_catalog.=) t.oid
      UNION ALL
        SELECT a.atttypid FROM pg_catalog.pg_attribute a
        WHERE a.attrelid OPERATOR(pg_catalog.=) t.typrelid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped) inside(type))
SELECT EXISTS (
    SELECT FROM part
    JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) part.type
    WHERE t.typtype OPERATOR(pg_catalog.=) 'd'
       OR t.typtype OPERATOR(pg_catalog.=) 'b' AND t.typelem OPERATOR(pg_catalog.=) 0::pg_catalog.oid
          AND (t.typnamespace OPERATOR(pg_catalog.<>) 'pg_catalog'::pg_catalog.regnamespace::pg_catalog.oid
               OR pg_catalog.starts_with(t.typname::pg_catalog.text, 'reg')))`

func (t *Tx) mayRefuseStored(ctx context.Context, typ string) (may bool, err error) {
	return may, t.run(ctx, "reading the type of a key", query{sql: mayRefuseStoredSQL, args: textArgs(typ), row: func(v [][]byte) error {
		may = isTrue(v[0])
		return nil
	}})
}

// findText scans the table for a row whose column has one of these texts. It returns the
// index of the text, or -1 if there is no such row.
func (t *Tx) findText(ctx context.Context, s table.Source, column string, texts []string) (int, error) {
	pages, err := t.mostPages(ctx, s)
	if err != nil {
		return -1, err
	}

	stored := -1
	list := params{{name: "k1", typ: "pg_catalog.bytea", parse: parseBytes}}
	bytes := fmt.Sprintf("pg_catalog.textsend(pg_catalog.concat(%s))", column)
	queries := settings(noIndexes)
	for _, pages := range pageRanges(s, pages) {
		condition := fmt.Sprintf("%s OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.bytea[])%s", bytes, pages)
		queries = append(queries, query{
			sql:  fmt.Sprintf("SELECT pg_catalog.array_position($1::pg_catalog.bytea[], %s) FROM %s%s LIMIT 1", bytes, s.Relation, where(condition)),
			args: list.ofKeys(asKeys(texts)),
			row: func(v [][]byte) error {
				var err error
				stored, err = place(v[0], len(texts))
				return err
			},
		})
	}

	const options = table.ReleaseLocks // the locks are released by a rollback to a savepoint, which also ends the planner settings
	return stored, t.call(ctx, "looking for rows whose key the node does not accept as input", options, queries...)
}
