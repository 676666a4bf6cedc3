package difffile_test

import (
	"bytes"
	"context"
	"iter"
	"testing"
	"time"

	"ace/shared/difffile"
)

// sections is a Source of rows in memory.
type sections struct {
	columns   []difffile.Column // nil means the columns of matching
	rows      map[difffile.Pair]map[string][]difffile.Row
	unsettled map[difffile.Pair][]difffile.Row
	variants  map[difffile.Pair][][2]difffile.Row
	written   map[difffile.Pair]map[string][]difffile.LastWrite
}

func (s sections) Written(_ context.Context, pair difffile.Pair, node string) iter.Seq2[difffile.LastWrite, error] {
	return each(s.written[pair][node])
}

func (s sections) Rows(_ context.Context, pair difffile.Pair, node string) iter.Seq2[difffile.Encoded, error] {
	return func(yield func(difffile.Encoded, error) bool) {
		columns := s.columns
		if columns == nil {
			columns = matching().Columns
		}
		encoder, err := difffile.NewEncoder(columns)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, row := range s.rows[pair][node] {
			if encoded, err := encoder.Append(nil, row); !yield(encoded, err) || err != nil {
				return
			}
		}
	}
}

func (s sections) Unsettled(_ context.Context, pair difffile.Pair) iter.Seq2[difffile.Row, error] {
	return each(s.unsettled[pair])
}

func (s sections) KeyVariants(_ context.Context, pair difffile.Pair) iter.Seq2[[2]difffile.Row, error] {
	return each(s.variants[pair])
}

func each[T any](elements []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, element := range elements {
			if !yield(element, nil) {
				return
			}
		}
	}
}

// null stands for NULL in the arguments of row.
const null = "\x00"

func row(values ...string) difffile.Row {
	r := make(difffile.Row, len(values))
	for i := range values {
		if values[i] != null {
			r[i] = &values[i]
		}
	}
	return r
}

var (
	n12 = difffile.Pair{"n1", "n2"}
	n13 = difffile.Pair{"n1", "n3"}
	n23 = difffile.Pair{"n2", "n3"}
)

// matching returns the summary of three equal nodes.
func matching() difffile.Summary {
	start := time.Date(2024, 3, 15, 12, 34, 56, 789_000_000, time.UTC)
	return difffile.Summary{
		TaskID: "td_20240315_123456", ClusterName: "my_cluster", DBName: "app", Schema: "public", Table: "users",
		PrimaryKey: []string{"id"},
		Columns: []difffile.Column{
			{Name: "id", Type: "bigint"}, {Name: "ok", Type: "boolean"}, {Name: "na\"me", Type: "text"},
			{Name: "amount", Type: "numeric(10,2)"}, {Name: "raw", Type: "bytea"},
		},
		Nodes: []string{"n1", "n2", "n3"}, TableFilter: "id < 100 AND ok <> false", BlockRows: 10000, Blocks: 1,
		Strategy: "index ranges", Snapshots: "per batch", Workers: 2,
		StartedAt: difffile.Time{Time: start}, FinishedAt: difffile.Time{Time: start.Add(4211 * time.Millisecond)},
		TimeTaken: 4.211, Timings: map[string]float64{"plan": 0.2, "compare": 4}, TotalRows: 12,
		RowsPerNode:    map[string]int64{"n1": 12, "n2": 12, "n3": 12},
		Pairs:          difffile.Pairs{{Nodes: n12}, {Nodes: n13}, {Nodes: n23}},
		ServerVersions: map[string]string{"n1": "15.18", "n2": "15.18", "n3": "18.4"},
	}
}

// differing returns a summary of three nodes and its rows: n1 and n3 are equal.
func differing() (difffile.Summary, sections) {
	s := matching()
	s.MismatchedBlocks, s.MismatchedRows, s.UnsettledRows = 1, 3, 1
	s.Warnings = []string{"the role is a superuser: table_filter can change data"}
	s.Pairs[0].OnlyOn = map[string]int64{"n1": 1, "n2": 1}
	s.Pairs[0].Different, s.Pairs[0].Columns = 1, map[string]int64{"na\"me": 1}
	s.Pairs[2] = s.Pairs[0]
	s.Pairs[2].Nodes, s.Pairs[2].OnlyOn = n23, map[string]int64{"n2": 1, "n3": 1}
	good := []difffile.Row{
		row("-3", "t", "<Ann> & \"Bob\"\\\n\u2028é\x01", "1.00", `\x00ff`),
		row("9007199254740993", null, "", null, null),
	}
	bad := []difffile.Row{
		row("-3", "t", "Ann", "1.00", `\x00ff`),
		row("0", "f", "NULL", "NaN", ""),
	}
	return s, sections{
		rows: map[difffile.Pair]map[string][]difffile.Row{
			n12: {"n1": good, "n2": bad},
			n23: {"n2": bad, "n3": good},
		},
		unsettled: map[difffile.Pair][]difffile.Row{n12: {row("0")}},
	}
}

// keyVariants returns a summary of two nodes and its rows: one key has two variants.
func keyVariants() (difffile.Summary, sections) {
	s := matching()
	s.PrimaryKey, s.MismatchedRows, s.UnsettledRows = []string{"amount", "id"}, 2, 1
	s.Pairs = s.Pairs[:1]
	s.Pairs[0].OnlyOn, s.Pairs[0].Different = map[string]int64{"n1": 1}, 1
	s.Pairs[0].Columns = map[string]int64{"amount": 1}
	return s, sections{
		rows: map[difffile.Pair]map[string][]difffile.Row{n12: {
			"n1": {row("7", "t", "a", "0.5", null), row("7", "t", "b", "1.0", null)},
			"n2": {row("7", "t", "b", "1.00", null)},
		}},
		unsettled: map[difffile.Pair][]difffile.Row{n12: {row("0.5", "7")}},
		variants:  map[difffile.Pair][][2]difffile.Row{n12: {{row("1.0", "7"), row("1.00", "7")}}},
	}
}

// written returns a summary of three nodes and its rows, of which n2 and n3 record commit
// times. One time is unknown.
func written() (difffile.Summary, sections) {
	s, rows := differing()
	s.CommitTimes = []string{"n2", "n3"}
	on2 := []difffile.LastWrite{
		{Key: row("-3"), At: "2026-11-29T02:00:01.123456Z"},
		{Key: row("0"), At: "2026-11-29T02:00:02.000000Z", Origin: "from \"n1\"\n<b>"},
	}
	rows.written = map[difffile.Pair]map[string][]difffile.LastWrite{
		n12: {"n2": on2},
		n23: {"n2": on2, "n3": {{Key: row("-3")}, {Key: row("9007199254740993"), At: "2026-11-30T00:00:00.000001Z", Origin: "pg_16390"}}},
	}
	return s, rows
}

func write(t *testing.T, s difffile.Summary, src difffile.Source) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := difffile.Write(t.Context(), &out, s, src); err != nil {
		t.Fatalf("Write: %v", err)
	}
	return out.Bytes()
}

// content is everything that a reader returns.
type content struct {
	Summary   difffile.Summary
	Rows      map[difffile.Pair]map[string][]difffile.Row
	Unsettled map[difffile.Pair][]difffile.Row
	Variants  map[difffile.Pair][][2]difffile.Row
	Written   map[difffile.Pair]map[string][]difffile.LastWrite
}

func read(document []byte) (content, error) {
	c := content{
		Rows:      make(map[difffile.Pair]map[string][]difffile.Row),
		Unsettled: make(map[difffile.Pair][]difffile.Row), Variants: make(map[difffile.Pair][][2]difffile.Row),
	}
	r, err := difffile.Open(bytes.NewReader(document))
	if err != nil {
		return c, err
	}
	err = r.Visit(difffile.Visitor{
		Row: func(e difffile.Entry) error {
			if c.Rows[e.Pair] == nil {
				c.Rows[e.Pair] = make(map[string][]difffile.Row)
			}
			c.Rows[e.Pair][e.Node] = append(c.Rows[e.Pair][e.Node], e.Row)
			return nil
		},
		Unsettled: func(pair difffile.Pair, key difffile.Row) error {
			c.Unsettled[pair] = append(c.Unsettled[pair], key)
			return nil
		},
		KeyVariants: func(pair difffile.Pair, keys [2]difffile.Row) error {
			c.Variants[pair] = append(c.Variants[pair], keys)
			return nil
		},
		Written: func(e difffile.WrittenEntry) error {
			if c.Written == nil {
				c.Written = make(map[difffile.Pair]map[string][]difffile.LastWrite)
			}
			if c.Written[e.Pair] == nil {
				c.Written[e.Pair] = make(map[string][]difffile.LastWrite)
			}
			c.Written[e.Pair][e.Node] = append(c.Written[e.Pair][e.Node], e.Write)
			return nil
		},
	})
	c.Summary = r.Summary()
	return c, err
}
