package pg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"ace/shared/fault"
	"ace/shared/table"
)

const doingWriting = "reading the table's properties for a repair"

// DescribeWriting reads what prevents a repair from writing to the table, and what a
// write would do besides changing rows of the table, such as firing triggers. It writes
// nothing.
func (n *Node) DescribeWriting(ctx context.Context, schema, name string) (*table.Writing, error) {
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Close()
	w := &writing{tx: tx, d: &table.Writing{}}
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return w.find(ctx, schema, name) }, w.details, w.tryOperations, w.tryReplica,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}

	return w.d, nil
}

// writing is the state of one call of DescribeWriting.
type writing struct {
	tx  *Tx
	oid []byte
	d   *table.Writing
}

func (w *writing) find(ctx context.Context, schema, name string) error {
	err := w.tx.run(ctx, doingWriting, query{
		sql:  "SELECT c.oid, current_setting('server_version_num')::int FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
		args: textArgs(schema, name),
		row: func(v [][]byte) error {
			w.oid = append([]byte(nil), v[0]...)
			_, err := fmt.Sscan(string(v[1]), &w.d.ServerVersion)
			return err
		},
	})
	if err == nil && w.oid == nil {
		return fault.New(fault.Invalid, "node %q: table %s does not exist", w.tx.node.name, table.Name(schema, name))
	}
	return err
}

func (w *writing) details(ctx context.Context) error {
	about := func(sql string, row func(v [][]byte) error) query {
		return query{sql: sql, args: [][]byte{w.oid}, row: row}
	}
	var o origins
	err := w.tx.run(ctx, doingWriting, append(slices.Concat(w.rights(about), w.links(about), []query{o.query()}),
		query{sql: readOnlySQL, row: func(v [][]byte) error {
			w.d.ReadOnly = string(v[0])
			return nil
		}},
		about(triggersSQL, func(v [][]byte) error {
			w.d.Triggers = append(w.d.Triggers, table.Trigger{Name: string(v[0]), Always: isTrue(v[1]), Replica: isTrue(v[2])})
			return nil
		}),
		about(uniqueSQL, func(v [][]byte) error {
			w.d.Unique = append(w.d.Unique, string(v[0]))
			return nil
		}),
		about(requiredSQL, func(v [][]byte) error {
			w.d.Required = append(w.d.Required, string(v[0]))
			return nil
		}),
		about(rulesSQL, func(v [][]byte) error {
			w.d.Rules = append(w.d.Rules, string(v[0]))
			return nil
		}),
		about(referencesSQL, func(v [][]byte) error {
			r := table.Reference{Name: string(v[0]), Table: string(v[1]), OnDelete: isTrue(v[3]), OnUpdate: isTrue(v[4])}
			err := readList(v[2], &r.Columns)
			w.d.References = append(w.d.References, r)
			return err
		}),
		about(deferrableSQL, func(v [][]byte) error {
			d := table.Deferrable{Name: string(v[0]), Unchecked: isTrue(v[1]), Distinct: !isTrue(v[4])}
			err := errors.Join(readList(v[2], &d.Columns), readList(v[3], &d.Equal), readList(v[5], &d.Base))
			w.d.Deferrable = append(w.d.Deferrable, d)
			return err
		}),
	)...)
	w.d.Unmarked = o.unmarked()
	return err
}

// rights returns the queries for the privileges of the role. about returns a query with
// the table's OID as its parameter.
func (w *writing) rights(about func(sql string, row func(v [][]byte) error) query) []query {
	return []query{
		about(rightsSQL, func(v [][]byte) error {
			w.d.Role, w.d.Insert.Some, w.d.Update.Some = string(v[0]), isTrue(v[1]), isTrue(v[3])
			w.d.Delete, w.d.Extension = isTrue(v[5]), string(v[7])
			return errors.Join(readList(v[2], &w.d.Insert.Except), readList(v[4], &w.d.Update.Except), readList(v[6], &w.d.Identity))
		}),
		about(closedSQL, func(v [][]byte) error {
			w.d.Closed = append(w.d.Closed, string(v[0]))
			return nil
		}),
		about(functionsSQL, func(v [][]byte) error {
			w.d.Functions = append(w.d.Functions, string(v[0]))
			return nil
		}),
		about(sequencesSQL, func(v [][]byte) error {
			w.d.Unusable = append(w.d.Unusable, table.SequenceUse{Column: string(v[0]), Sequence: string(v[1])})
			return nil
		}),
	}
}

func readList(raw []byte, into *[]string) error {
	if raw == nil {
		return nil
	}
	return json.Unmarshal(raw, into)
}

func (w *writing) tryReplica(ctx context.Context) (err error) {
	w.d.ReplicaRole, err = w.tx.tryReplica(ctx)
	return err
}

// tryReplica reports whether the role may set session_replication_role, by setting it.
// The catalog does not show whether it may, because managed services have special rules.
// The caller must not send another statement in the transaction, because the transaction
// fails if the role may not set the parameter.
func (t *Tx) tryReplica(ctx context.Context) (bool, error) {
	err := t.run(ctx, doingWriting, replicaRole())
	if sqlState(err) == insufficientPrivilege {
		return false, nil
	}
	return err == nil, err
}

// replicaRole returns the query that disables triggers and foreign keys until the
// transaction ends.
func replicaRole() query {
	return query{sql: "SELECT pg_catalog.set_config('session_replication_role', 'replica', true)"}
}

const insufficientPrivilege = "42501"

// sqlState returns the SQLSTATE of an error of the server, or an empty string for other
// errors.
func sqlState(err error) string {
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr.Code
	}
	return ""
}
