package measure

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Table is the state of a table according to its latest comparison of one scope.
type Table struct {
	ClusterName, DBName, TableName string
	Scope                          Scope

	VerifiedAt    time.Time // when the latest table-diff ended
	Verdict       string    // the verdict of the latest table-diff, or of a rerun of its document
	DifferingRows int64
	UnsettledRows int64
}

// key identifies a Table.
type key struct {
	cluster, database, table string
	scope                    Scope
}

// state is a Table, and what decides which rerun may change it.
type state struct {
	Table
	// complete holds the keys of two documents: that of the latest table-diff, and that of
	// the latest rerun that changed this state. A key is "" if there is no such document, or
	// if the document does not list all differing rows. Only a rerun of one of these
	// documents may change the state, because it covers all rows that may differ.
	complete  [2]string
	changedAt time.Time // when the comparison that set the numbers ended
}

// completeDocument returns the document of a comparison, or "" if the document does not
// list all differing rows.
func (c Comparison) completeDocument() string {
	if c.Limited {
		return ""
	}
	return c.Document
}

// Tables holds the latest state of each table. It is safe for concurrent use.
type Tables struct {
	limit int

	mu      sync.Mutex
	states  map[key]*state
	leftOut int64
}

// NewTables returns a Tables without a table. It holds at most limit states.
func NewTables(limit int) *Tables { return &Tables{limit: limit, states: map[key]*state{}} }

// Add adds a comparison. A table-diff sets the state of its table. A rerun changes only
// the verdict and the numbers of rows, not the time, and only if its document lists all
// rows that may differ (see state.complete). Other reruns, and comparisons that ended
// before the one that set the state, change nothing. Add returns false if the state was
// left out because of the limit.
func (t *Tables) Add(c Comparison) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.RerunOf != "" {
		t.rerun(c)
		return true
	}

	k := key{c.ClusterName, c.DBName, c.TableName, c.Scope}
	before, exists := t.states[k]
	if !exists && len(t.states) >= t.limit {
		t.leftOut++
		return false
	}
	if exists && c.FinishedAt.Before(before.changedAt) {
		return true
	}
	t.states[k] = &state{
		Table: Table{
			ClusterName: c.ClusterName, DBName: c.DBName, TableName: c.TableName, Scope: c.Scope,
			VerifiedAt: c.FinishedAt, Verdict: c.Verdict, DifferingRows: c.DifferingRows, UnsettledRows: c.UnsettledRows,
		},
		complete: [2]string{c.completeDocument()}, changedAt: c.FinishedAt,
	}
	return true
}

// rerun implements Add for a rerun. The caller must hold t.mu.
func (t *Tables) rerun(c Comparison) {
	for _, scope := range Scopes() {
		s, exists := t.states[key{c.ClusterName, c.DBName, c.TableName, scope}]
		if !exists || !slices.Contains(s.complete[:], c.RerunOf) || c.FinishedAt.Before(s.changedAt) {
			continue
		}
		s.Verdict, s.DifferingRows, s.UnsettledRows = c.Verdict, c.DifferingRows, c.UnsettledRows
		s.complete[1], s.changedAt = c.completeDocument(), c.FinishedAt
	}
}

// All returns the states in the order of their names, and how often a comparison was left
// out because of the limit.
func (t *Tables) All() (tables []Table, leftOut int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.states {
		tables = append(tables, s.Table)
	}
	slices.SortFunc(tables, func(a, b Table) int {
		return cmp.Or(cmp.Compare(a.ClusterName, b.ClusterName), cmp.Compare(a.DBName, b.DBName),
			cmp.Compare(a.TableName, b.TableName), cmp.Compare(a.Scope, b.Scope))
	})
	return tables, t.leftOut
}
