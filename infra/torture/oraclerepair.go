package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ace/infra/testkit/ruleoracle"
	"ace/shared/api"
)

// outcomes of a node, as docs/API.md names them.
const (
	committed  = "committed"
	rolledBack = "rolled_back"
	unknown    = "unknown"
)

// changed is the part of the result of a repair or undo that the oracle judges.
type changed struct {
	Nodes map[string]api.NodeRepair `json:"nodes"`
}

func resultOf(status api.TaskStatus) (c changed, err error) {
	if len(status.Result) == 0 {
		return c, nil
	}
	return c, json.Unmarshal(status.Result, &c)
}

// dryRun checks that a dry run counts what the oracle expects and changes nothing.
func (l *lane) dryRun(ctx context.Context, w wish, before state) error {
	params := maps.Clone(w.params)
	params["dry_run"] = "true"
	status, err := l.change(ctx, "table-repair", params)
	if err != nil || status.Status != api.StatusCompleted || l.unstable != nil || w.isOpen(l.everyNode().allKeys(before), before) {
		return err
	}
	result, err := resultOf(status)
	if err != nil {
		return err
	}
	for _, node := range w.targets {
		got, want := result.Nodes[l.names()[node]], l.expectedCounts(w, before, node)
		if got.Inserted != want.Inserted || got.Updated != want.Updated || got.Deleted != want.Deleted {
			l.wrong("dry run", "%s (%s): %s counts %+v, want %+v", status.TaskID, status.Parameters, l.names()[node], got, want)
		}
	}
	l.count("judged: dry run")
	after, err := l.table.readAll(ctx, l.bed.nodes)
	if err == nil {
		l.checkSame("dry run "+status.TaskID, before, after)
	}
	return err
}

// expectedCounts returns the changes that a repair must make on a node.
func (l *lane) expectedCounts(w wish, before state, node int) (n api.NodeRepair) {
	for key := range l.everyNode().allKeys(before) {
		was, will := before[node][key].Row, w.winner(key, node, before, before)
		switch {
		case ruleoracle.Same(was, will):
		case was == nil:
			n.Inserted++
		case will == nil:
			n.Deleted++
		default:
			n.Updated++
		}
	}
	return n
}

func (l *lane) checkSame(what string, before, after state) {
	for node := range before {
		if wrong := differences(l.rowsOf(after[node]), l.rowsOf(before[node])); wrong != "" {
			l.wrong("rows", "%s changed %s: %s", what, l.names()[node], wrong)
		}
	}
}

// rowsOf returns the rows that nothing but the services changes.
func (l *lane) rowsOf(c content) map[string][]string {
	rows := make(map[string][]string, len(c))
	for key, version := range c {
		if l.unstable == nil || !l.unstable(key) {
			rows[key] = version.Row
		}
	}
	return rows
}

// judgeRepair checks that every node is entirely repaired or entirely as before, that the
// task reports which, and that the before-images of all changes exist. It returns what
// the nodes have.
func (l *lane) judgeRepair(ctx context.Context, status api.TaskStatus, w wish, before state) (state, error) {
	result, err := resultOf(status)
	if err != nil {
		return nil, err
	}
	if err := l.awaitUnknown(ctx, result); err != nil {
		return nil, err
	}
	after, err := l.table.readAll(ctx, l.bed.nodes)
	if err != nil {
		return nil, err
	}
	l.countRulings(w, before)
	for node := range before {
		wanted := l.wanted(w, node, before, after)
		l.judgeNode(status, result, node, l.rowsOf(before[node]), l.rowsOf(after[node]), wanted)
	}
	l.count("judged: repair")
	return after, l.judgeBeforeImages(ctx, status, before, after)
}

// wanted returns the rows that a node must have if the repair committed there.
func (l *lane) wanted(w wish, node int, before, after state) map[string][]string {
	rows := map[string][]string{}
	for key := range l.everyNode().allKeys(before) {
		if row := w.winner(key, node, before, after); row != nil {
			rows[key] = row
		}
	}
	return rows
}

// judgeNode checks the rows of one node after a repair or undo.
func (l *lane) judgeNode(status api.TaskStatus, result changed, node int, before, after, wanted map[string][]string) {
	name := l.names()[node]
	outcome := result.Nodes[name].Outcome
	what := fmt.Sprintf("%s (%s) %s %q: outcome of %s is %q", status.TaskID, status.Parameters, status.Status, status.Error, name, outcome)
	repaired, untouched := differences(after, wanted), differences(after, before)
	switch {
	case repaired != "" && untouched != "":
		l.wrong("half a repair", "%s, but its rows are neither repaired (%s) nor as before (%s)", what, repaired, untouched)
	case outcome == committed && repaired != "":
		l.wrong("outcome", "%s, but its rows are as before: %s", what, repaired)
	case (outcome == rolledBack || outcome == "") && untouched != "":
		l.wrong("outcome", "%s, but its rows are changed: %s", what, untouched)
	case status.Status == api.StatusCompleted && repaired != "":
		l.wrong("outcome", "%s, but its rows are not repaired: %s", what, repaired)
	}
	if outcome != "" {
		l.count("node: " + outcome)
	}
	if outcome == unknown {
		l.judgeUnknown(status, name, untouched != "")
	}
}

// judgeUnknown checks that a task with an unknown outcome has not completed, and names
// the node.
func (l *lane) judgeUnknown(status api.TaskStatus, node string, isChanged bool) {
	if status.Status == api.StatusCompleted || !strings.Contains(status.Error, node) {
		l.wrong("outcome", "%s is %s %q, although the outcome of %s is unknown", status.TaskID, status.Status, status.Error, node)
	}
	was := "rolled back, or nothing to change"
	if isChanged {
		was = "committed"
	}
	l.count("unknown: " + status.TaskType + ", " + was)
}

// hasUnknown reports whether the outcome of a node is unknown.
func hasUnknown(status api.TaskStatus) bool {
	result, err := resultOf(status)
	return err == nil && slices.ContainsFunc(slices.Collect(maps.Values(result.Nodes)), func(n api.NodeRepair) bool { return n.Outcome == unknown })
}

// awaitUnknown waits until no transaction of the services is left on the nodes whose
// outcome is not known. Only then the rows show what has happened there.
func (l *lane) awaitUnknown(ctx context.Context, result changed) error {
	for i, n := range l.bed.nodes {
		if result.Nodes[n.name].Outcome != unknown {
			continue
		}
		for {
			rows, err := l.bed.nodes[i].surely(ctx, `SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE a.usename = '`+aceRole+`' AND l.relation = '`+l.table.name+`'::regclass AND l.mode = 'RowExclusiveLock'`)
			if err != nil {
				return err
			}
			if rows[0][0] == "0" {
				break
			}
			pause(ctx, 100*time.Millisecond)
		}
	}
	return nil
}

// isChanged reports whether a repair has changed a row. One that has changed none has no
// before-images, and cannot be undone.
func (l *lane) isChanged(before, after state) bool {
	for node := range before {
		if differences(l.rowsOf(before[node]), l.rowsOf(after[node])) != "" {
			return true
		}
	}
	return false
}

// beforeImages is the document of before-images.
type beforeImages struct {
	PrimaryKey []string `json:"primary_key"`
	Nodes      []struct {
		Node string `json:"node"`
		Rows []struct {
			Op     string                     `json:"op"`
			Key    []string                   `json:"key"`
			Before map[string]json.RawMessage `json:"before"`
		} `json:"rows"`
	} `json:"nodes"`
}

// judgeBeforeImages checks that the archive has the before-image of each changed row.
func (l *lane) judgeBeforeImages(ctx context.Context, status api.TaskStatus, before, after state) error {
	if !l.isChanged(before, after) {
		return nil
	}
	var images beforeImages
	if err := l.client.read(ctx, "/ace/before-images/"+status.TaskID, &images); err != nil {
		l.wrong("before-images", "%s: %v", status.TaskID, err)
		return nil
	}
	saved := map[string][]string{}
	for _, node := range images.Nodes {
		for _, row := range node.Rows {
			place := node.Node + " " + keyText(row.Key)
			saved[place] = nil
			if row.Before != nil {
				values, err := l.everyNode().row(row.Before)
				if err != nil {
					return err
				}
				saved[place] = values
			}
		}
	}
	for node, name := range l.names() {
		for key := range l.everyNode().allKeys(state{before[node], after[node], after[node]}) {
			was, is := before[node][key].Row, after[node][key].Row
			image, ok := saved[name+" "+key]
			if !ruleoracle.Same(was, is) && (!ok || !ruleoracle.Same(was, image)) {
				l.wrong("before-images", "%s: %s %s was %q, but its before-image is %q (exists: %t)", status.TaskID, name, key, was, image, ok)
				return nil
			}
		}
	}
	l.count("judged: before-images")
	return nil
}

// undo undoes a repair that has changed rows, and checks that every node is as before the
// repair, or as after it. The undo finds out what is unknown about the repair: if it
// completes, the node is as before in any case. It returns what the nodes have.
func (l *lane) undo(ctx context.Context, repair api.TaskStatus, before, after state) (state, error) {
	result, err := resultOf(repair)
	if err != nil {
		return nil, err
	}
	status, err := l.change(ctx, "table-undo", map[string]string{"task_id": repair.TaskID})
	if err != nil {
		return nil, err
	}
	undone, err := resultOf(status)
	if err != nil {
		return nil, err
	}
	if err := l.awaitUnknown(ctx, undone); err != nil {
		return nil, err
	}
	now, err := l.table.readAll(ctx, l.bed.nodes)
	if err != nil {
		return nil, err
	}
	for node, name := range l.names() {
		wanted := l.rowsOf(after[node])
		if outcome := result.Nodes[name].Outcome; outcome == committed || outcome == unknown {
			wanted = l.rowsOf(before[node])
		}
		l.judgeNode(status, undone, node, l.rowsOf(after[node]), l.rowsOf(now[node]), wanted)
	}
	l.count("judged: undo")
	return now, nil
}
