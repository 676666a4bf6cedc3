// Package difftest creates diff documents for tests. A test lists the differing keys with
// their rows.
package difftest

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"
	"testing"
	"time"

	"ace/shared/difffile"
)

// Found is one key whose rows differ.
type Found struct {
	Rows      [2]difffile.Row // the rows on the two nodes of the pair; nil: the node has no row with the key
	Unsettled bool
	Writes    [2]difffile.LastWrite // their keys are those of the rows; listed for the nodes in the summary's CommitTimes
}

// Findings returns the differing keys of a pair, in key order. Write calls it more than
// once for a pair, so it must return the same keys each time.
type Findings func(difffile.Pair) iter.Seq[Found]

// List holds the findings of each pair.
type List map[difffile.Pair][]Found

// Each implements Findings.
func (l List) Each(pair difffile.Pair) iter.Seq[Found] { return slices.Values(l[pair]) }

// Null stands for NULL in the arguments of Row. No PostgreSQL text contains it.
const Null = "\x00"

// Row returns a row of these texts.
func Row(values ...string) difffile.Row {
	row := make(difffile.Row, len(values))
	for i := range values {
		if values[i] != Null {
			row[i] = &values[i]
		}
	}
	return row
}

// Summary returns the summary of a comparison of the table public.users with these
// columns. The first column is the key.
func Summary(nodes []string, columns ...difffile.Column) difffile.Summary {
	start := time.Date(2024, 3, 15, 12, 34, 56, 789_000_000, time.UTC)
	s := difffile.Summary{
		TaskID: "td_20240315_123456", ClusterName: "my_cluster", DBName: "app", Schema: "public", Table: "users",
		PrimaryKey: []string{columns[0].Name}, Columns: columns, Nodes: nodes, BlockRows: 10_000, Blocks: 5, MismatchedBlocks: 1,
		Strategy: "key ranges", Snapshots: "one per node and batch", Workers: 2,
		StartedAt: difffile.Time{Time: start}, FinishedAt: difffile.Time{Time: start.Add(1145 * time.Millisecond)},
		TimeTaken: 1.145, Timings: map[string]float64{"plan": 0.1, "compare": 0.7, "confirm": 0.3}, TotalRows: 50_000,
		RowsPerNode: map[string]int64{}, ServerVersions: map[string]string{},
	}
	for i, a := range nodes {
		s.RowsPerNode[a], s.ServerVersions[a] = 50_000, "15.18"
		for _, b := range nodes[i+1:] {
			s.Pairs = append(s.Pairs, difffile.PairSummary{Nodes: difffile.Pair{a, b}})
		}
	}
	return s
}

// Write writes the document. It computes the summary's counts of differences. It also
// computes mismatched_rows, unless the summary already has it, on the assumption that no
// key differs in two pairs.
func Write(t interface{ Fatal(...any) }, w io.Writer, s difffile.Summary, found Findings) {
	src := &source{summary: s, found: found, countKeys: s.MismatchedRows == 0}
	src.summary.Pairs = slices.Clone(s.Pairs)
	for i := range src.summary.Pairs {
		src.count(&src.summary.Pairs[i])
	}
	if _, err := difffile.Write(context.Background(), w, src.summary, src); err != nil {
		t.Fatal(err)
	}
}

// Document returns the bytes of the document that Write writes.
func Document(t interface{ Fatal(...any) }, s difffile.Summary, found Findings) []byte {
	var out bytes.Buffer
	Write(t, &out, s, found)
	return out.Bytes()
}

// Opener returns a function that opens a document in memory at an offset. The test fails
// if one of the streams is still open when the test ends.
func Opener(t testing.TB, document []byte) func(context.Context, int64) (io.ReadCloser, error) {
	open := 0
	t.Cleanup(func() {
		if open != 0 {
			t.Errorf("%d streams were left open", open)
		}
	})
	return func(_ context.Context, offset int64) (io.ReadCloser, error) {
		open++
		return &stream{bytes.NewReader(document[offset:]), &open}, nil
	}
}

type stream struct {
	io.Reader
	open *int
}

// Close implements io.Closer.
func (s *stream) Close() error {
	*s.open--
	return nil
}
