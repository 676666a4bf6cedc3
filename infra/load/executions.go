package main

import (
	"bytes"
	"context"
	"fmt"

	"ace/shared/archive"
	"ace/shared/task"
)

// logStatements makes the nodes log every statement with the id of its task, or stops
// that.
func (b *bed) logStatements(ctx context.Context, on bool) error {
	value := "none"
	if on {
		value = "all"
	}
	_, err := b.nodes.All(ctx, "-c", "ALTER SYSTEM SET log_statement = '"+value+"'", "-c", "SELECT pg_reload_conf()")
	return err
}

// digests is a part of the statements that read the rows of a table.
const digests = "hash_record_extended"

// countExecutions counts the statements of each task that read rows on each node, and
// compares their number with that of a task that ran alone.
func (b *bed) countExecutions(r *report, alone string, ids []string) error {
	for n, server := range b.nodes.Servers {
		text, err := server.Log()
		if err != nil {
			return err
		}
		executed := executions(text)
		once := executed[alone]
		if once == 0 {
			return fmt.Errorf("the log of node n%d lacks the statements of task %s", n+1, alone)
		}
		asOften := 0
		for _, id := range ids {
			if executed[id] == once {
				asOften++
				continue
			}
			r.found("on node n%d task %s executed %d statements that read rows, a task alone %d", n+1, id, executed[id], once)
		}
		r.add(fmt.Sprintf("tasks that read rows as often as a task alone, by the log of node n%d", n+1), "%d of %d", asOften, len(ids))
	}
	return nil
}

// executions counts the readings of rows in the log of a node, by task.
func executions(log []byte) map[string]int {
	counts := map[string]int{}
	for line := range bytes.Lines(log) {
		name, statement, ok := bytes.Cut(line, []byte("|LOG:  "))
		if !ok || !bytes.Contains(statement, []byte(digests)) {
			continue
		}
		if id := taskID.Find(name); id != nil {
			counts[string(id)]++
		}
	}
	return counts
}

// countArchived checks that each task was attempted once, has one document, and left
// nothing to do. No service may run.
func (b *bed) countArchived(ctx context.Context, r *report, ids []string) (err error) {
	store, closeStore, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := closeStore(); err == nil {
			err = closeErr
		}
	}()

	documents, open := map[string]int{}, 0
	err = store.List(ctx, archive.DiffsPrefix, "", func(info archive.Info) bool {
		documents[taskID.FindString(info.Key)]++
		return true
	})
	if err != nil {
		return err
	}
	err = store.List(ctx, archive.OpenPrefix, "", func(archive.Info) bool { open++; return true })
	if err != nil {
		return err
	}
	complete := 0
	for _, id := range ids {
		var rec task.Record
		if _, _, err := archive.ReadJSON(ctx, store, archive.TaskKey(id), &rec); err != nil {
			return err
		}
		if rec.Status == task.Completed && rec.Attempts == 1 && documents[id] == 1 {
			complete++
			continue
		}
		r.found("task %s is %s after %d attempts, with %d documents", id, rec.Status, rec.Attempts, documents[id])
	}
	r.add("tasks with one attempt and one document in the archive", "%d of %d; %d open markers left", complete, len(ids), open)
	if open > 0 {
		r.found("%d open markers are left", open)
	}
	return nil
}
