package difftest

import (
	"context"
	"iter"
	"slices"

	"ace/shared/difffile"
	"ace/shared/table"
)

// source provides the rows of a document, as a comparison does.
type source struct {
	summary   difffile.Summary
	found     Findings
	countKeys bool
}

// count computes the counts of a pair in the summary.
func (s *source) count(p *difffile.PairSummary) {
	p.OnlyOn, p.Columns, p.Different = map[string]int64{}, map[string]int64{}, 0
	for f := range s.found(p.Nodes) {
		if s.countKeys {
			s.summary.MismatchedRows++
		}
		if f.Unsettled {
			s.summary.UnsettledRows++
		}
		switch {
		case f.Rows[1] == nil:
			p.OnlyOn[p.Nodes[0]]++
		case f.Rows[0] == nil:
			p.OnlyOn[p.Nodes[1]]++
		default:
			p.Different++
			for i, column := range s.summary.Columns {
				if !table.SameValue(f.Rows[0][i], f.Rows[1][i]) {
					p.Columns[column.Name]++
				}
			}
		}
	}
}

// Rows implements difffile.Source.
func (s *source) Rows(_ context.Context, pair difffile.Pair, node string) iter.Seq2[difffile.Encoded, error] {
	side := slices.Index(pair[:], node)
	return func(yield func(difffile.Encoded, error) bool) {
		encoder, err := difffile.NewEncoder(s.summary.Columns)
		if err != nil {
			yield(nil, err)
			return
		}
		var encoded difffile.Encoded
		for f := range s.found(pair) {
			if f.Rows[side] == nil {
				continue
			}
			if encoded, err = encoder.Append(encoded[:0], f.Rows[side]); !yield(encoded, err) || err != nil {
				return
			}
		}
	}
}

// Unsettled implements difffile.Source.
func (s *source) Unsettled(_ context.Context, pair difffile.Pair) iter.Seq2[difffile.Row, error] {
	return func(yield func(difffile.Row, error) bool) {
		for f := range s.found(pair) {
			key := s.key(f.Rows[0])
			if key == nil {
				key = s.key(f.Rows[1])
			}
			if f.Unsettled && !yield(key, nil) {
				return
			}
		}
	}
}

// KeyVariants implements difffile.Source.
func (s *source) KeyVariants(_ context.Context, pair difffile.Pair) iter.Seq2[[2]difffile.Row, error] {
	return func(yield func([2]difffile.Row, error) bool) {
		for f := range s.found(pair) {
			keys := [2]difffile.Row{s.key(f.Rows[0]), s.key(f.Rows[1])}
			if keys[0] == nil || keys[1] == nil || slices.EqualFunc(keys[0], keys[1], table.SameValue) {
				continue
			}
			if !yield(keys, nil) {
				return
			}
		}
	}
}

// Written implements difffile.Source.
func (s *source) Written(_ context.Context, pair difffile.Pair, node string) iter.Seq2[difffile.LastWrite, error] {
	side := slices.Index(pair[:], node)
	return func(yield func(difffile.LastWrite, error) bool) {
		for f := range s.found(pair) {
			write := f.Writes[side]
			write.Key = s.key(f.Rows[side])
			if write.Key != nil && !yield(write, nil) {
				return
			}
		}
	}
}

func (s *source) key(row difffile.Row) difffile.Row {
	if row == nil {
		return nil
	}
	var key difffile.Row
	for _, name := range s.summary.PrimaryKey {
		key = append(key, row[slices.IndexFunc(s.summary.Columns, func(c difffile.Column) bool { return c.Name == name })])
	}
	return key
}
