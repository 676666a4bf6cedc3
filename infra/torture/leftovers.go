package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"ace/shared/api"
)

// judge checks the run as a whole, after all work has ended and all faults are healed.
func (r *run) judge(ctx context.Context) error {
	if err := r.endSchedules(ctx); err != nil {
		return err
	}
	if err := r.judgeTasks(ctx); err != nil {
		return err
	}
	if err := r.awaitCleared(ctx); err != nil {
		return err
	}
	for _, s := range r.services {
		if err := s.stop(); err != nil {
			r.wrong("service", "%v", err)
		}
		for _, text := range s.complaints() {
			r.wrong("panic", "service %d: %s", s.number+1, text)
		}
		r.judgeTempFiles(filepath.Join(r.dir, fmt.Sprintf("service%d", s.number+1)))
	}
	for _, n := range r.bed.nodes {
		if err := r.judgeNodeLeftovers(ctx, n); err != nil {
			return err
		}
	}
	objects, err := r.objects(ctx)
	if err != nil {
		return err
	}
	for _, text := range leftObjects(objects, r.client.ids()) {
		r.wrong("left in the archive", "%s", text)
	}
	return nil
}

// judgeTasks waits until every task in the list has ended, and checks that every accepted
// one is there.
func (r *run) judgeTasks(ctx context.Context) error {
	listed := map[string]string{}
	bounded, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var all []api.TaskStatus
	for open := -1; open != 0; {
		var err error
		if all, err = r.client.tasks(ctx, ""); err != nil {
			return err
		}
		open = 0
		for _, task := range all {
			listed[task.TaskID] = task.Status
			if !task.HasEnded() {
				open++
			}
			if r.client.accept(task.TaskID, "found in the list") && task.RequestedBy != nil && task.RequestedBy.Caller != "schedule" {
				r.count("task: found in the list, its answer was lost")
			}
		}
		if bounded.Err() != nil {
			r.wrong("stuck", "%d tasks have not ended: %v", open, listed)
			return nil
		}
		pause(ctx, 100*time.Millisecond)
	}
	for _, id := range r.client.ids() {
		switch listed[id] {
		case api.StatusCompleted, api.StatusFailed, api.StatusCancelled:
		default:
			r.wrong("lost", "task %s was accepted, and in the list it is %q", id, listed[id])
		}
	}
	return r.judgeScheduled(ctx, all)
}

// clearLimit bounds the wait for the sweep that clears tasks whose clearing a fault has
// interrupted.
const clearLimit = 40 * time.Second

// awaitCleared waits until nothing is left in the archive. What is left then is found
// again after the services have ended.
func (r *run) awaitCleared(ctx context.Context) error {
	for deadline := time.Now().Add(clearLimit); time.Now().Before(deadline) && ctx.Err() == nil; pause(ctx, 300*time.Millisecond) {
		objects, err := r.objects(ctx)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a file was deleted meanwhile
		}
		if err != nil || len(leftObjects(objects, r.client.ids())) == 0 {
			return err
		}
	}
	return nil
}

func (r *run) judgeTempFiles(home string) {
	for _, dir := range []string{filepath.Join(home, "tmp"), home} {
		entries, _ := os.ReadDir(dir)
		for _, entry := range entries {
			if entry.Name() != "tmp" {
				r.wrong("left on the host", "%s", filepath.Join(dir, entry.Name()))
			}
		}
	}
}

// sessionLimit is how long a server needs to find that a client has gone:
// client_connection_check_interval is 10 s.
const sessionLimit = 20 * time.Second

// judgeNodeLeftovers checks that a node has no session, lock, prepared transaction,
// replication origin in use or temporary object of the services. Advisory locks and row
// locks are those of a session.
func (r *run) judgeNodeLeftovers(ctx context.Context, n *node) error {
	for deadline := time.Now().Add(sessionLimit); ; {
		left, err := n.leftovers(ctx)
		if err != nil || len(left) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			r.wrong("left on a node", "%s: %s", n.name, left)
			return nil
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// leftovers returns what the services have left on a node, now.
func (n *node) leftovers(ctx context.Context) (left []string, err error) {
	rows, err := n.surely(ctx, `
SELECT 'session ' || pid || ' ' || coalesce(state, '') || ' ' || left(query, 200) FROM pg_stat_activity WHERE usename = 'ace'
UNION ALL SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts
UNION ALL SELECT 'advisory lock of ' || pid FROM pg_locks WHERE locktype = 'advisory'
UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE database = current_database()
UNION ALL SELECT 'origin ' || roname FROM pg_replication_origin WHERE roname !~ '^(ace_repair_[0-9]+|torture_[a-z]+)$'
UNION ALL SELECT 'temporary object ' || oid::regclass FROM pg_class WHERE relpersistence = 't'
UNION ALL SELECT 'object ' || c.oid::regclass FROM pg_class c WHERE c.relowner = 'ace'::regrole
UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_proc p WHERE p.proowner = 'ace'::regrole
UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspowner = 'ace'::regrole`)
	for _, row := range rows {
		left = append(left, row[0])
	}
	return left, err
}

// objects lists the keys of all objects of the archive, and its unfinished uploads.
func (r *run) objects(ctx context.Context) (keys []string, err error) {
	if r.store == storeMinIO {
		return r.bed.minio.Keys(ctx, bucket, r.prefix()+"/")
	}
	root := filepath.Join(r.storeDir, "archive")
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			key, _ := filepath.Rel(root, path)
			keys = append(keys, key)
		}
		return err
	})
	return keys, err
}

// objectPattern matches the keys that may be in the archive when all tasks have ended.
// The id of a task is the first group.
var objectPattern = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`tasks/([^/]+)/(?:task\.json|cancel)`,
	`diffs/[0-9-]+/([^/.]+)\.(?:json|csv|html)`,
	`reports/[0-9-]+/([^/.]+)\..*`,
	`repairs/([^/]+)/.*`,
	`index/.*`, `baselines/.*`, `audit/[0-9-]+/[0-9]+-[0-9a-z]+\.json`, `rules/[0-9a-f]{64}`, `locks/[0-9a-f]{64}`, `schedules/[a-z]+\.json`,
}, "|") + `)$`)

// leftObjects returns the objects that must not be in the archive when all tasks have
// ended: open markers, locks, plans, parts, and objects of tasks that do not exist.
func leftObjects(keys, tasks []string) (left []string) {
	for _, key := range keys {
		name, inFiles := strings.CutPrefix(key, "files/")
		switch {
		case !inFiles && ownFile(key):
			continue
		case strings.HasPrefix(key, "sums/"):
			if object := "files/" + strings.TrimPrefix(key, "sums/"); !slices.Contains(keys, object) {
				left = append(left, key+" without its object")
			}
			continue
		case isAbandoned(name, tasks):
			continue
		}
		match := objectPattern.FindStringSubmatch(name)
		if match == nil {
			left = append(left, key)
			continue
		}
		if id := strings.Join(match[1:], ""); id != "" && !slices.Contains(tasks, id) {
			left = append(left, key+" of a task that does not exist")
		}
	}
	return left
}

// isAbandoned reports whether a killed process may have left the object: the marker of a
// task whose id no client has received, or the object of a probe. The service deletes
// such objects when they are old.
func isAbandoned(key string, tasks []string) bool {
	id, marker := strings.CutPrefix(key, "open/")
	return marker && !slices.Contains(tasks, id) || strings.HasPrefix(key, "probe/")
}

// ownFile reports whether a file of a directory belongs to the directory itself.
func ownFile(path string) bool {
	return !strings.Contains(path, "/") || strings.HasPrefix(path, "journal/")
}
