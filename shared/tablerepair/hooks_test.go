//go:build !unit

package tablerepair_test

import (
	"context"

	"ace/shared/pg"
	"ace/shared/table"
	"ace/shared/tablerepair"
)

// step notifies the test before a call of a node.
func (n hookedNode) step(call string) {
	if n.b.at != nil {
		n.b.at(n.Name() + " " + call)
	}
}

func (n hookedNode) Expecting(server table.Identity) tablerepair.Node {
	return hookedNode{n.Node.Expecting(server), n.b}
}

func (n hookedNode) Discreet() tablerepair.Node { return hookedNode{n.Node.Discreet(), n.b} }

func (n hookedNode) Begin(ctx context.Context, access table.Access) (tablerepair.Source, error) {
	if n.b.begin != nil {
		return nil, n.b.begin
	}
	tx, err := n.Node.Begin(ctx, access)
	return hookedReader{tx, n}, err
}

func (n hookedNode) BeginRepair(ctx context.Context, access table.Access) (tablerepair.Tx, error) {
	tx, err := n.Node.BeginRepair(ctx, access)
	return hookedTx{tx, n}, err
}

type hookedReader struct {
	*pg.Tx
	hookedNode
}

func (tx hookedReader) Rows(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error) {
	tx.step("Rows")
	return tx.Tx.Rows(ctx, s, keys)
}

func (tx hookedReader) Digests(ctx context.Context, s table.Source, keys []table.Key, options ...table.CallOption) ([]*int64, error) {
	tx.step("Digests")
	return tx.Tx.Digests(ctx, s, keys, options...)
}

func (tx hookedReader) Renew(ctx context.Context) error {
	tx.step("Renew")
	return tx.Tx.Renew(ctx)
}

type hookedTx struct {
	*pg.RepairTx
	hookedNode
}

func (tx hookedTx) TryAdvisoryLock(ctx context.Context, schema, name string) (bool, error) {
	tx.step("TryAdvisoryLock")
	return tx.RepairTx.TryAdvisoryLock(ctx, schema, name)
}

func (tx hookedTx) Lock(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error) {
	tx.step("Lock")
	return tx.RepairTx.Lock(ctx, s, keys)
}

func (tx hookedTx) Rows(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error) {
	tx.step("Rows")
	return tx.RepairTx.Rows(ctx, s, keys)
}

func (tx hookedTx) Digests(ctx context.Context, s table.Source, keys []table.Key, options ...table.CallOption) ([]*int64, error) {
	tx.step("Digests")
	return tx.RepairTx.Digests(ctx, s, keys, options...)
}

func (tx hookedTx) Mark(ctx context.Context) (table.Mark, error) {
	tx.step("Mark")
	return tx.RepairTx.Mark(ctx)
}

func (tx hookedTx) Delete(ctx context.Context, t table.Target, keys []table.Key) error {
	tx.step("Delete")
	return tx.RepairTx.Delete(ctx, t, keys)
}

func (tx hookedTx) Update(ctx context.Context, t table.Target, columns []int, keys []table.Key, rows []table.Row, guarded bool) error {
	tx.step("Update")
	return tx.RepairTx.Update(ctx, t, columns, keys, rows, guarded)
}

func (tx hookedTx) Insert(ctx context.Context, t table.Target, columns []int, rows []table.Row) error {
	tx.step("Insert")
	return tx.RepairTx.Insert(ctx, t, columns, rows)
}

func (tx hookedTx) Commit(ctx context.Context) error {
	tx.step("Commit")
	if tx.b.commit == nil {
		return tx.RepairTx.Commit(ctx)
	}
	return tx.b.commit(ctx, tx.RepairTx.Commit)
}
