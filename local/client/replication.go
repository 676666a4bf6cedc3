package client

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"ace/shared/api"
	"ace/shared/finding"
)

// replicationOf returns the result of a replication-diff. ok is false if the task has
// none.
func replicationOf(t task) (result api.ReplicationResult, ok bool) {
	if t.TaskType != api.TypeReplicationDiff || len(t.Result) == 0 {
		return api.ReplicationResult{}, false
	}
	return result, json.Unmarshal(t.Result, &result) == nil
}

// countFindings returns the number of findings of each rank, such as "2 broken,
// 1 different".
func countFindings(f api.ReplicationFindings) string {
	var parts []string
	for _, of := range []struct {
		count int
		rank  finding.Rank
	}{{f.Broken, finding.Broken}, {f.Behind, finding.Behind}, {f.Asymmetric, finding.Asymmetric}, {f.Different, finding.Different}} {
		if of.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", of.count, of.rank))
		}
	}
	if len(parts) == 0 {
		return "no finding"
	}
	return strings.Join(parts, ", ")
}

func (s *session) printReplication(t task, r api.ReplicationResult) {
	for _, f := range r.Worst {
		s.printFinding(f)
	}
	if more := r.Findings.Total() - len(r.Worst); more > 0 {
		writeLine(s.Stdout, "and %d more: ace report %s", more, t.TaskID)
	}
	if r.Unknown > 0 {
		writeLine(s.Stdout, "note: %d facts are unknown; the document lists them and how to make them known: ace report %s", r.Unknown, t.TaskID)
	}
}

// printFinding prints a finding: a line with its rank and object, the state of each node,
// the reason, and the SQL that fixes the problem.
func (s *session) printFinding(f finding.Finding) {
	color := text.FgYellow
	if f.Rank == finding.Broken || f.Rank == finding.Blocks {
		color = text.FgRed
	}
	write(s.Stdout, s.paint(string(f.Rank), color, text.Bold)+"  "+safe(f.Kind+" "+f.Object)+"\n")
	for _, node := range slices.Sorted(maps.Keys(f.Nodes)) {
		writeLine(s.Stdout, "    %s: %s", node, f.Nodes[node])
	}
	writeLine(s.Stdout, "    %s", f.Detail)
	for _, node := range slices.Sorted(maps.Keys(f.Fix)) {
		writeLine(s.Stdout, "    to mend it on %s: %s", node, f.Fix[node])
	}
}
