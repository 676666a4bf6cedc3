package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"ace/infra/testkit/ruleoracle"
	"ace/shared/api"
)

// repairAndUndo makes a table differ and compares it before the faults begin. During the
// faults it repairs and undoes again and again, so that faults hit these.
func (l *lane) repairAndUndo(ctx context.Context) error {
	diff, before, err := l.plant(ctx)
	l.begin()
	for err == nil && !l.over() {
		if diff == "" || l.r.IntN(3) == 0 {
			diff, before, err = l.plant(ctx)
		}
		if err == nil && diff != "" {
			diff, before, err = l.repairOnce(ctx, diff, before)
		}
	}
	if err != nil {
		return err
	}
	l.awaitHealed(ctx)
	if diff, before, err = l.plant(ctx); err != nil {
		return err
	}
	if diff != "" { // otherwise compare has reported it
		if _, _, err := l.repairOnce(ctx, diff, before); err != nil {
			return err
		}
	}
	s, err := l.table.readAll(ctx, l.bed.nodes)
	if err != nil {
		return err
	}
	return l.finish(ctx, s)
}

// plant makes the table differ and compares it. It returns the document, or "" if the
// comparison did not complete, and what the nodes have.
func (l *lane) plant(ctx context.Context) (diff string, before state, err error) {
	l.table.drift(ctx, l.r, l.bed.nodes)
	if before, err = l.table.readAll(ctx, l.bed.nodes); err != nil {
		return "", nil, err
	}
	diff, err = l.compare(ctx, "table-diff", l.everyNode(), map[string]string{"confirm_delay": "0", "block_rows": "2000", "batch_size": "1"}, before)
	return diff, before, err
}

// repairOnce repairs by a drawn way, judges the rows, and often undoes. It returns the
// document if the nodes have the rows of the document again, or "", and what they have:
// rows that an undo restored have other commit times.
func (l *lane) repairOnce(ctx context.Context, diff string, before state) (string, state, error) {
	w, err := l.drawWish(ctx, diff, before)
	if err != nil {
		return "", nil, err
	}
	if l.r.IntN(6) == 0 {
		if err := l.dryRun(ctx, w, before); err != nil {
			return "", nil, err
		}
	}
	status, err := l.change(ctx, "table-repair", w.params)
	if err != nil {
		return "", nil, err
	}
	now, err := l.judgeRepair(ctx, status, w, before)
	if err != nil {
		return "", nil, err
	}
	for attempts := 3; attempts > 0 && l.isChanged(before, now) && (attempts == 3 || !l.over()); attempts-- {
		if l.r.IntN(4) == 0 && !hasUnknown(status) {
			break
		}
		if now, err = l.undo(ctx, status, before, now); err != nil || now == nil {
			return "", nil, err
		}
	}
	if l.isChanged(before, now) {
		return "", now, nil
	}
	return diff, now, nil
}

// drawWish draws how a document is repaired.
func (l *lane) drawWish(ctx context.Context, diff string, before state) (wish, error) {
	w := wish{params: map[string]string{"diff_file": diff}, targets: []int{0, 1, 2}}
	var err error
	switch way := l.r.IntN(9); way {
	case 0, 1, 2:
		l.wishSource(&w)
	case 3, 4, 5:
		strategies := []string{api.ResolveMajority, api.ResolveUnion, api.ResolveFillNulls, api.ResolveNewest, api.ResolveNewest}
		if l.isRewritten {
			strategies = strategies[:3]
		}
		strategy := strategies[l.r.IntN(len(strategies))]
		w.params["resolve"] = strategy
		w.byRule = func(o ruleoracle.Oracle, nodes []ruleoracle.Version) ruleoracle.Ruling {
			return o.Decide(strategy, nodes)
		}
		if strategy == api.ResolveNewest {
			l.drawMissing(&w)
		}
	default:
		l.drawMissing(&w)
		err = l.wishRules(ctx, &w, before)
	}
	if l.r.IntN(5) == 0 {
		only := w.targets[l.r.IntN(len(w.targets))]
		w.targets, w.params["nodes"] = []int{only}, l.names()[only]
	}
	return w, err
}

// wishSource draws a repair by a source of truth.
func (l *lane) wishSource(w *wish) {
	source := l.r.IntN(nodeCount)
	w.params["source_of_truth"] = l.names()[source]
	w.targets = slices.DeleteFunc(w.targets, func(node int) bool { return node == source })
	option := []string{"", "", "upsert_only", "insert_only", "generate_report", "fire_triggers"}[l.r.IntN(6)]
	if option != "" {
		w.params[option] = "true"
	}
	w.bySource = func(key string, node int, before state) []string {
		return bySource(before[source][key].Row, before[node][key].Row, option)
	}
}

// wishRules draws a repair by a rules document, and stores the document.
func (l *lane) wishRules(ctx context.Context, w *wish, before state) error {
	d := ruleDrawer{l.r, l.table, l.names(), before}
	document, table := d.draw(!l.isRewritten), d.ruled()
	sum, err := l.postRules(ctx, table.Text(document))
	w.params["resolve"], w.params["rules"] = api.ResolveRules, sum
	w.byRule = func(o ruleoracle.Oracle, nodes []ruleoracle.Version) ruleoracle.Ruling {
		return o.DecideBy(document, table, nodes)
	}
	return err
}

// drawMissing draws what it means that some node lacks a row.
func (l *lane) drawMissing(w *wish) {
	w.params["missing"] = []string{api.MissingInsert, api.MissingDelete, api.MissingSkip}[l.r.IntN(3)]
}

// bySource returns the row that a target has after a repair by a source of truth.
func bySource(source, target []string, option string) []string {
	switch {
	case option == "insert_only" && target != nil, option != "" && strings.HasSuffix(option, "_only") && source == nil:
		return target
	}
	return source
}

// postRules stores a rules document and returns its SHA-256.
func (l *lane) postRules(ctx context.Context, text string) (string, error) {
	for {
		for _, s := range l.services {
			status, body, err := l.client.send(ctx, http.MethodPost, "http://"+s.address+"/ace/rules", strings.NewReader(text))
			var stored struct {
				Rules string `json:"rules"`
			}
			switch {
			case err == nil && status == http.StatusOK:
				err = json.Unmarshal(body, &stored)
				return stored.Rules, checkSum(err, stored.Rules)
			case err == nil && status < http.StatusInternalServerError:
				return "", fmt.Errorf("POST /ace/rules: %d %s: %s", status, body, text)
			}
		}
		pause(ctx, 100*time.Millisecond)
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
	}
}

// change submits a repair or undo and waits for its end. While a fault prevents the
// submission, or another task has the table's lock, the request is repeated.
func (l *lane) change(ctx context.Context, operation string, params map[string]string) (api.TaskStatus, error) {
	known, err := l.repairsOf(ctx)
	if err != nil {
		return api.TaskStatus{}, err
	}
	id, err := l.submitChange(ctx, operation, params, known)
	if err != nil {
		return api.TaskStatus{}, err
	}
	if err := l.disturb(ctx, id); err != nil {
		return api.TaskStatus{}, err
	}
	status, err := l.client.wait(ctx, id)
	if err != nil {
		return status, err
	}
	l.ended(status)
	l.mu.Lock()
	l.changes[l.table.name]++
	l.mu.Unlock()
	return status, l.countStrikes(status)
}

// disturb cancels a repair or undo, aims a fault at it, or leaves it alone.
func (l *lane) disturb(ctx context.Context, id string) error {
	switch way := l.r.IntN(8); {
	case l.over() || way < 2:
		return nil
	case way == 2:
		pause(ctx, time.Duration(l.r.IntN(300))*time.Millisecond)
		_, err := l.client.get(ctx, "/ace/task-cancel/"+id)
		return err
	case way < 5:
		return l.aim(ctx, id)
	}
	return l.aimAtCommit(ctx, id)
}

// repairsOf returns the ids of all repairs and undos of the table.
func (l *lane) repairsOf(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	for _, kind := range []string{"table-repair", "table-undo"} {
		list, err := l.client.tasks(ctx, "task_type="+kind+"&table_name=public."+l.table.name)
		if err != nil {
			return nil, err
		}
		for _, task := range list {
			ids[task.TaskID] = true
		}
	}
	return ids, nil
}

// submitChange submits a repair or undo exactly once, although an answer may be lost: a
// task that exists after a lost answer is used.
func (l *lane) submitChange(ctx context.Context, operation string, params map[string]string, known map[string]bool) (string, error) {
	query := []string{"cluster_name=" + clusterName}
	if operation != "table-undo" {
		query = append(query, "table_name=public."+l.table.name)
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		query = append(query, name+"="+params[name])
	}
	if operation == "table-undo" {
		query = query[1:]
	}
	path := "/ace/" + operation + "?" + strings.Join(query, "&")
	for ctx.Err() == nil {
		s := l.services[l.r.IntN(len(l.services))]
		status, body, err := l.client.send(ctx, http.MethodGet, "http://"+s.address+path, nil)
		var submitted struct {
			TaskID string `json:"task_id"`
		}
		if err == nil && status == http.StatusOK && json.Unmarshal(body, &submitted) == nil {
			l.client.accept(submitted.TaskID, path)
			return submitted.TaskID, nil
		}
		if err == nil && status < http.StatusInternalServerError && status != http.StatusConflict {
			return "", refusal{fmt.Sprintf("GET %s: status %d: %s", path, status, body)}
		}
		found, listErr := l.repairsOf(ctx)
		if listErr != nil {
			return "", listErr
		}
		for id := range found {
			if !known[id] {
				l.client.accept(id, path+" (its answer was lost)")
				return id, nil
			}
		}
		pause(ctx, 100*time.Millisecond)
	}
	return "", fmt.Errorf("GET %s: %w", path, context.Cause(ctx))
}
