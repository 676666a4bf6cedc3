package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ace/infra/testkit/ruleoracle"
	"ace/shared/api"
)

// document is a diff document, read without the code of ACE that writes it.
type document struct {
	Summary struct {
		PrimaryKey     []string         `json:"primary_key"`
		Nodes          []string         `json:"nodes"`
		TotalRows      int64            `json:"total_rows"`
		MismatchedRows int64            `json:"mismatched_rows"`
		RowsPerNode    map[string]int64 `json:"rows_per_node"`
		Warnings       []string         `json:"warnings"`
	} `json:"summary"`
	Diffs map[string]map[string][]map[string]json.RawMessage `json:"diffs"`
}

// comparison is what the oracle knows about a comparison.
type comparison struct {
	table    table
	nodes    []int           // in the order of the cluster
	ignored  []string        // columns that are not compared
	keys     map[string]bool // only these keys are compared, nil for all
	unstable func(key string) bool
}

// expected returns the rows of the right document, by "pair node key", the number of
// keys, and the number of those that differ. It reads no row that is unstable.
func (c comparison) expected(names []string, s state) (rows map[string][]string, total, mismatched int64) {
	rows = map[string][]string{}
	for key := range c.allKeys(s) {
		total++
		differs := false
		for i, a := range c.nodes {
			for _, b := range c.nodes[i+1:] {
				left, right := c.masked(s[a][key].Row), c.masked(s[b][key].Row)
				if ruleoracle.Same(left, right) {
					continue
				}
				differs = true
				pair := names[a] + "/" + names[b]
				if left != nil {
					rows[pair+" "+names[a]+" "+key] = left
				}
				if right != nil {
					rows[pair+" "+names[b]+" "+key] = right
				}
			}
		}
		if differs {
			mismatched++
		}
	}
	return rows, total, mismatched
}

func (c comparison) allKeys(s state) map[string]bool {
	keys := map[string]bool{}
	for _, node := range c.nodes {
		for key := range s[node] {
			if (c.keys == nil || c.keys[key]) && (c.unstable == nil || !c.unstable(key)) {
				keys[key] = true
			}
		}
	}
	return keys
}

// masked returns a row without the columns that are not compared.
func (c comparison) masked(row []string) []string {
	if row == nil || len(c.ignored) == 0 {
		return row
	}
	masked := make([]string, 0, len(row))
	for i, column := range c.table.allColumns() {
		if !slices.Contains(c.ignored, column) {
			masked = append(masked, row[i])
		}
	}
	return masked
}

// rows returns the rows of a document in the form of expected.
func (d document) rows(c comparison) (map[string][]string, error) {
	rows := map[string][]string{}
	for pair, nodes := range d.Diffs {
		for node, list := range nodes {
			for _, object := range list {
				row, err := c.row(object)
				if err != nil {
					return nil, err
				}
				key := keyText(row[:len(c.table.key)])
				if c.unstable != nil && c.unstable(key) {
					continue
				}
				place := pair + " " + node + " " + key
				if _, twice := rows[place]; twice {
					return nil, fmt.Errorf("the document has %s twice", place)
				}
				rows[place] = row
			}
		}
	}
	return rows, nil
}

// row returns the compared columns of a row of a document, in the order of the table.
func (c comparison) row(object map[string]json.RawMessage) (row []string, err error) {
	for _, column := range c.table.allColumns() {
		if slices.Contains(c.ignored, column) {
			continue
		}
		value, ok := object[column]
		if !ok {
			return nil, fmt.Errorf("a row of the document lacks the column %s", column)
		}
		text, err := valueText(value)
		if err != nil {
			return nil, err
		}
		row = append(row, text)
	}
	return row, nil
}

// valueText returns PostgreSQL's text of a value of a document.
func valueText(value json.RawMessage) (string, error) {
	switch {
	case string(value) == "null":
		return null, nil
	case len(value) > 0 && value[0] == '"':
		var text string
		err := json.Unmarshal(value, &text)
		return text, err
	}
	return string(value), nil
}

// fault compares a document with what plain SQL has read. It returns what is wrong, or
// "".
func (c comparison) fault(names []string, s state, result api.DiffResult, d document) string {
	want, total, mismatched := c.expected(names, s)
	got, err := d.rows(c)
	if err != nil {
		return err.Error()
	}
	if wrong := differences(got, want); wrong != "" {
		return wrong
	}
	if c.unstable != nil {
		return "" // the counts include rows that changed meanwhile
	}
	verdict := api.VerdictMatch
	if mismatched > 0 {
		verdict = api.VerdictDiffer
	}
	if c.keys != nil {
		total = int64(len(c.keys))
	}
	if result.Verdict != verdict || result.MismatchedRows != mismatched || result.TotalRows != total || d.Summary.MismatchedRows != mismatched {
		return fmt.Sprintf("verdict %s, %d of %d rows mismatched, want %s, %d of %d", result.Verdict, result.MismatchedRows, result.TotalRows, verdict, mismatched, total)
	}
	for _, node := range c.nodes {
		if c.keys == nil && d.Summary.RowsPerNode[names[node]] != int64(len(s[node])) {
			return fmt.Sprintf("%d rows on %s, want %d", d.Summary.RowsPerNode[names[node]], names[node], len(s[node]))
		}
	}
	return ""
}

// differences describes how two sets of rows differ, or returns "".
func differences(got, want map[string][]string) string {
	var found []string
	places := map[string]bool{}
	for place := range got {
		places[place] = true
	}
	for place := range want {
		places[place] = true
	}
	for _, place := range slices.Sorted(maps.Keys(places)) {
		if !ruleoracle.Same(got[place], want[place]) {
			found = append(found, fmt.Sprintf("%s: got %q, want %q", place, got[place], want[place]))
		}
	}
	if len(found) == 0 {
		return ""
	}
	return fmt.Sprintf("%d rows are wrong: %s", len(found), strings.Join(found[:min(3, len(found))], "; "))
}

// document fetches the document of a task.
func (r *run) document(ctx context.Context, id string) (d document, err error) {
	return d, r.client.read(ctx, "/ace/diffs/"+id, &d)
}

func (r *run) names() (names []string) {
	for _, n := range r.bed.nodes {
		names = append(names, n.name)
	}
	return names
}
