package rules

import (
	"context"
	"slices"

	"ace/shared/resolve"
	"ace/shared/table"
)

// perStatement is the maximum number of rows that the server evaluates in one statement.
const perStatement = 1000

// match divides the cases with the indexes open into those that a rule matches and the
// rest. It asks the server only about cases that the other selectors of the rule match.
func (d *Decider) match(ctx context.Context, rule Rule, cases []resolve.Case, open []int) (matched, rest []int, err error) {
	for _, i := range open {
		if d.selects(rule.When, cases[i]) {
			matched = append(matched, i)
		}
	}

	if rule.When.Keys != nil {
		matched, err = filter(matched, func(batch []int) ([]bool, error) {
			keys := make([]table.Key, len(batch))
			for n, i := range batch {
				keys[n] = cases[i].Key
			}
			return d.o.Server.AreIn(ctx, keys, rule.When.Keys)
		})
		if err != nil {
			return nil, nil, err
		}
	}
	if rule.When.Where != "" {
		matched, err = filter(matched, func(batch []int) ([]bool, error) {
			list := make([]resolve.Case, len(batch))
			for n, i := range batch {
				list[n] = cases[i]
			}
			return d.o.Server.Where(ctx, rule.When.Where, list)
		})
		if err != nil {
			return nil, nil, err
		}
	}

	return matched, without(open, matched), nil
}

// filter returns the elements of list for which "is" returns true. It passes at most
// perStatement elements to each call of "is".
func filter(list []int, is func(batch []int) ([]bool, error)) ([]int, error) {
	var kept []int
	for batch := range slices.Chunk(list, perStatement) {
		results, err := is(batch)
		if err != nil {
			return nil, err
		}
		for n, i := range batch {
			if results[n] {
				kept = append(kept, i)
			}
		}
	}
	return kept, nil
}

// without returns the elements of list that are not in part. Both lists are ascending,
// and part has only elements of list.
func without(list, part []int) []int {
	var rest []int
	for _, i := range list {
		if len(part) > 0 && part[0] == i {
			part = part[1:]
			continue
		}
		rest = append(rest, i)
	}
	return rest
}

// selects reports whether the selectors that need no server match the case.
func (d *Decider) selects(when Selectors, c resolve.Case) bool {
	versions := c.Versions
	if when.Nodes != nil {
		versions = nil
		for _, node := range when.Nodes {
			versions = append(versions, c.Versions[indexOf(d.o.Nodes, node)])
		}
		if allSame(resolve.Case{Versions: versions}) {
			return false
		}
	}

	return isKind(when.Kind, versions) && d.lackAll(when.On, c) && d.differs(when.Columns, versions) && d.wasWritten(when.Written, c)
}

// isKind reports whether the difference between the versions is of this kind. At least
// two of the versions must differ.
func isKind(kind Kind, versions []resolve.Version) bool {
	lacking, having := 0, 0
	for _, v := range versions {
		if v.Present {
			having++
		} else {
			lacking++
		}
	}
	switch kind {
	case Different: // at least two versions differ, see above
		return lacking == 0
	case Missing:
		return lacking > 0 && having > 0
	}
	return true
}

// lackAll reports whether every one of the nodes lacks the row.
func (d *Decider) lackAll(nodes []string, c resolve.Case) bool {
	return !slices.ContainsFunc(nodes, func(node string) bool { return c.Versions[indexOf(d.o.Nodes, node)].Present })
}

// differs reports whether at least one of the columns has different values in two of the
// versions. It returns true if columns is empty.
func (d *Decider) differs(columns []string, versions []resolve.Version) bool {
	if len(columns) == 0 {
		return true
	}
	present := slices.DeleteFunc(slices.Clone(versions), func(v resolve.Version) bool { return !v.Present })
	return slices.ContainsFunc(columns, func(column string) bool {
		at := indexOf(d.o.Columns, column)
		return slices.ContainsFunc(present, func(v resolve.Version) bool { return !table.SameValue(v.Row[at], present[0].Row[at]) })
	})
}

// wasWritten reports whether the last write of at least one version was as w describes.
func (d *Decider) wasWritten(w *Written, c resolve.Case) bool {
	if w == nil {
		return true
	}
	for i, v := range c.Versions {
		if w.On != nil && !slices.Contains(w.On, d.o.Nodes[i]) || !v.Present || v.Time.IsZero() {
			continue
		}
		if w.matches(v) {
			return true
		}
	}
	return false
}

func (w Written) matches(v resolve.Version) bool {
	return (w.Before.IsZero() || v.Time.Before(w.Before)) && (w.After.IsZero() || v.Time.After(w.After)) && (w.Origin == nil || *w.Origin == v.Origin)
}

// allSame reports whether all versions of a case are the same.
func allSame(c resolve.Case) bool {
	return !slices.ContainsFunc(c.Versions, func(v resolve.Version) bool { return !v.Same(c.Versions[0]) })
}

func indexOf(list []string, name string) int { return slices.Index(list, name) }
