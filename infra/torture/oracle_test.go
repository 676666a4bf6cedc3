package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/ruleoracle"
	"ace/shared/api"
)

// row returns a row of the table "still".
func row(id, v string) ruleoracle.Version {
	return ruleoracle.Version{Row: []string{id, v, "1.50", "true", `{"i": 1}`, "2024-01-01 00:00:00+00"}}
}

// object returns a row as a document has it.
func object(h ruleoracle.Version) string {
	quoted := make([]string, len(h.Row))
	for i, value := range h.Row {
		text, _ := json.Marshal(value)
		quoted[i] = string(text)
	}
	return fmt.Sprintf(`{"id": %s, "v": %s, "n": %s, "f": %s, "j": %s, "at": %s}`, h.Row[0], quoted[1], quoted[2], h.Row[3], quoted[4], quoted[5])
}

func sampleState() state {
	return state{
		{"1": row("1", "a"), "2": row("2", "b"), "3": row("3", "c")},
		{"1": row("1", "a"), "2": row("2", "B"), "3": row("3", "c")},
		{"1": row("1", "a"), "2": row("2", "b")},
	}
}

// rightDocument returns the document of sampleState.
func rightDocument() string {
	b, upper, c := object(row("2", "b")), object(row("2", "B")), object(row("3", "c"))
	return fmt.Sprintf(`{"summary": {"mismatched_rows": 2, "total_rows": 3, "rows_per_node": {"n1": 3, "n2": 3, "n3": 2}}, "diffs": {
"n1/n2": {"n1": [%s], "n2": [%s]}, "n1/n3": {"n1": [%s]}, "n2/n3": {"n2": [%s, %s], "n3": [%s]}}}`, b, upper, c, upper, c, b)
}

// The oracle accepts the right document and reports each wrong one.
func TestOracle_ReportsAWrongDocument(t *testing.T) {
	right := api.DiffResult{Verdict: api.VerdictDiffer, TotalRows: 3, MismatchedRows: 2}
	for _, tt := range []struct {
		name   string
		change func(document string) string
		result api.DiffResult
		wrong  bool
	}{
		{"right", func(d string) string { return d }, right, false},
		{"a missing row", func(d string) string { return strings.Replace(d, object(row("3", "c"))+"]}", "]}", 1) }, right, true},
		{"an additional row", func(d string) string {
			return strings.Replace(d, `"n1/n3": {"n1": [`, `"n1/n3": {"n3": [`+object(row("1", "a"))+`], "n1": [`, 1)
		}, right, true},
		{"another value", func(d string) string { return strings.Replace(d, `"B"`, `"b"`, 1) }, right, true},
		{"a row of another node", func(d string) string { return strings.Replace(d, `"n1/n3": {"n1"`, `"n1/n3": {"n3"`, 1) }, right, true},
		{"a false match", func(d string) string { return d }, api.DiffResult{Verdict: api.VerdictMatch, TotalRows: 3, MismatchedRows: 2}, true},
		{"a wrong number of rows", func(d string) string { return d }, api.DiffResult{Verdict: api.VerdictDiffer, TotalRows: 4, MismatchedRows: 2}, true},
		{"a wrong number of differences", func(d string) string { return d }, api.DiffResult{Verdict: api.VerdictDiffer, TotalRows: 3, MismatchedRows: 1}, true},
		{"wrong rows of a node", func(d string) string { return strings.Replace(d, `"n3": 2}`, `"n3": 3}`, 1) }, right, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := tt.change(rightDocument())
			if tt.name != "right" && tt.result.MismatchedRows == right.MismatchedRows && tt.result.TotalRows == right.TotalRows && tt.result.Verdict == right.Verdict && text == rightDocument() {
				t.Fatal("the document was not changed")
			}
			var d document
			if err := json.Unmarshal([]byte(text), &d); err != nil {
				t.Fatal(err)
			}
			c := comparison{table: tables()["still"], nodes: []int{0, 1, 2}}
			got := c.fault([]string{"n1", "n2", "n3"}, sampleState(), tt.result, d)
			if (got != "") != tt.wrong {
				t.Errorf("the oracle says %q, wrong: %t", got, tt.wrong)
			}
		})
	}
}

// judged returns the kinds of findings of a repair that set the node n2 to after.
func judged(status, outcome string, after content) []string {
	l := &lane{run: &run{bed: &bed{nodes: []*node{{name: "n1"}, {name: "n2"}, {name: "n3"}}}, counts: map[string]int{}}, table: tables()["still"]}
	s := sampleState()
	result := changed{Nodes: map[string]api.NodeRepair{"n2": {Outcome: outcome}}}
	wanted := content{"1": row("1", "a"), "2": row("2", "b")} // as n3
	reason := ""
	if status != api.StatusCompleted {
		reason = `node "n2": the connection was lost`
	}
	l.judgeNode(api.TaskStatus{Status: status, Error: reason}, result, 1, l.rowsOf(s[1]), l.rowsOf(after), l.rowsOf(wanted))
	var kinds []string
	for _, f := range l.findings {
		kinds = append(kinds, f.kind)
	}
	return kinds
}

// The oracle reports a node that is repaired in part, and a task whose result is not what
// the node has.
func TestOracle_ReportsHalfARepairAndAWrongOutcome(t *testing.T) {
	untouched := sampleState()[1]
	repaired := content{"1": row("1", "a"), "2": row("2", "b")}
	half := content{"1": row("1", "a"), "2": row("2", "b"), "3": row("3", "c")}
	for _, tt := range []struct {
		name, status, outcome string
		after                 content
		want                  []string
	}{
		{"committed and repaired", api.StatusCompleted, committed, repaired, nil},
		{"rolled back and as before", api.StatusFailed, rolledBack, untouched, nil},
		{"unknown and repaired", api.StatusFailed, unknown, repaired, nil},
		{"unknown and as before", api.StatusFailed, unknown, untouched, nil},
		{"unknown and completed", api.StatusCompleted, unknown, repaired, []string{"outcome"}},
		{"half", api.StatusFailed, unknown, half, []string{"half a repair"}},
		{"committed and as before", api.StatusCompleted, committed, untouched, []string{"outcome"}},
		{"rolled back and repaired", api.StatusFailed, rolledBack, repaired, []string{"outcome"}},
		{"no outcome and repaired", api.StatusFailed, "", repaired, []string{"outcome"}},
		{"completed and as before", api.StatusCompleted, "", untouched, []string{"outcome"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := judged(tt.status, tt.outcome, tt.after); !slices.Equal(got, tt.want) {
				t.Errorf("the oracle reports %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOracle_ReportsWhatIsLeftInTheArchive(t *testing.T) {
	allowed := []string{
		"tasks/td_1/task.json", "diffs/2026-01-01/td_1.json", "files/repairs/td_1/n2/1/manifest", "index/_tasks/x", "lock", "journal/1", "open/td_9", "probe/1",
		"files/tasks/td_1/task.json", "sums/tasks/td_1/task.json",
	}
	left := []string{
		"open/td_1", "tasks/td_1/plan.json", "tasks/td_1/parts/compare-0", "files/open/td_1", "tmp/1", "incoming/1",
		"tasks/td_2/task.json", "repairs/td_2/n1/1/manifest", "sums/tasks/td_3/task.json", "unfinished upload diffs/1",
	}
	if got := leftObjects(allowed, []string{"td_1"}); len(got) > 0 {
		t.Errorf("the oracle reports %q", got)
	}
	for _, key := range left {
		if got := leftObjects(append(slices.Clone(allowed), key), []string{"td_1"}); len(got) != 1 {
			t.Errorf("the oracle reports %q for %s", got, key)
		}
	}
}

// A plan depends on its seed only.
func TestPlan_IsRepeatedByItsSeed(t *testing.T) {
	for seed := range uint64(50) {
		first, second := drawPlan(seed, storeMinIO, 1e9, true).String(), drawPlan(seed, storeMinIO, 1e9, true).String()
		if first != second || first == drawPlan(seed+1, storeMinIO, 1e9, true).String() {
			t.Fatalf("seed %d: %s, then %s", seed, first, second)
		}
	}
}
