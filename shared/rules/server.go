package rules

import (
	"context"
	"errors"

	"ace/shared/resolve"
	"ace/shared/table"
)

// Node evaluates expressions over versions of rows on one server.
type Node interface {
	CheckWhere(ctx context.Context, e table.Evaluation, where string) error
	MatchWhere(ctx context.Context, e table.Evaluation, where string, rows [][]table.Row) ([]bool, error)
	ReadKeys(ctx context.Context, e table.Evaluation, keys []table.Key) error
	KeysIn(ctx context.Context, e table.Evaluation, keys, list []table.Key) ([]bool, error)
	CheckOrder(ctx context.Context, e table.Evaluation, column int) error
	Extremes(ctx context.Context, e table.Evaluation, column int, greatest bool, values []table.Row) ([]int, error)
}

// On returns the server of a decider that evaluates on one node. columns are the names of
// the columns of e.
func On(node Node, e table.Evaluation, columns []string) Server {
	return server{node: node, e: e, columns: columns}
}

type server struct {
	node    Node
	e       table.Evaluation
	columns []string
}

// CheckWhere implements Server.
func (s server) CheckWhere(ctx context.Context, where string) error {
	return s.node.CheckWhere(ctx, s.e, where)
}

// CheckOrder implements Server.
func (s server) CheckOrder(ctx context.Context, column string) error {
	return s.node.CheckOrder(ctx, s.e, indexOf(s.columns, column))
}

// CheckKeys implements Server.
func (s server) CheckKeys(ctx context.Context, keys []table.Key) error {
	err := s.node.ReadKeys(ctx, s.e, keys)
	var refused *table.ViolationError
	if errors.As(err, &refused) {
		return refused.Of(keys[refused.Place])
	}
	return err
}

// Where implements Server.
func (s server) Where(ctx context.Context, where string, cases []resolve.Case) ([]bool, error) {
	rows := make([][]table.Row, len(cases))
	for i, c := range cases {
		for _, v := range c.Versions {
			rows[i] = append(rows[i], v.Row) // nil if the node lacks the row
		}
	}
	return s.node.MatchWhere(ctx, s.e, where, rows)
}

// AreIn implements Server.
func (s server) AreIn(ctx context.Context, keys, list []table.Key) ([]bool, error) {
	return s.node.KeysIn(ctx, s.e, keys, list)
}

// Extremes implements Server.
func (s server) Extremes(ctx context.Context, column string, greatest bool, values []table.Row) ([]int, error) {
	return s.node.Extremes(ctx, s.e, indexOf(s.columns, column), greatest, values)
}
