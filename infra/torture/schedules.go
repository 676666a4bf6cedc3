package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"ace/infra/testkit/ruleoracle"
	"ace/shared/api"
)

// schedules are the jobs of the first service. Two services must not have the same jobs.
// A minute is the shortest interval.
const schedules = `jobs:
  - name: still
    cluster_name: torture
    table_name: public.still
    run_frequency: 1m
    incremental: true
    rerun_after: 1s
    args: {confirm_delay: 50ms, block_rows: 1000}
  - name: paged
    cluster_name: torture
    table_name: public.paged
    crontab_schedule: "* * * * *"
    args: {confirm_delay: "0", sequential_scan: always}
  - name: pattern
    cluster_name: torture
    table_name: public.*
    skip_tables: [busy, fixed, ruled, shaken, reading]
    run_frequency: 1m
    args: {confirm_delay: 50ms}
`

// schedulesFile returns the path of the file of the jobs.
func (r *run) schedulesFile() string { return filepath.Join(r.dir, "schedules.yaml") }

// writeSchedules replaces the file of the jobs.
func (r *run) writeSchedules(text string) error {
	next := r.schedulesFile() + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(next, r.schedulesFile())
}

// hangUpService changes the schedules, often to a text with a mistake, and sends SIGHUP.
func hangUpService(_ context.Context, r *run, f fault) (func(context.Context) error, error) {
	heal := func(context.Context) error {
		if err := r.writeSchedules(schedules); err != nil {
			return err
		}
		return r.services[0].signal(syscall.SIGHUP, false)
	}
	texts := []string{
		"jobs:\n  - name: still\n    run_frequency: often\n", schedules[:len(schedules)/2],
		strings.ReplaceAll(schedules, "run_frequency: 1m", `crontab_schedule: "*/1 * * * *"`),
	}
	if err := r.writeSchedules(texts[f.size%3]); err != nil {
		return heal, err
	}
	return heal, r.services[f.target].signal(syscall.SIGHUP, false)
}

// hangUpLimit bounds the time until a service has read its schedules again.
const hangUpLimit = 30 * time.Second

// endSchedules disables all jobs, so that no task begins while the archive is judged. All
// faults are healed, so the service must obey.
func (r *run) endSchedules(ctx context.Context) error {
	if err := r.writeSchedules(strings.ReplaceAll(schedules, "    cluster_name:", "    enabled: false\n    cluster_name:")); err != nil {
		return err
	}
	address := "http://" + r.services[0].address + "/ace/schedules"
	for deadline := time.Now().Add(hangUpLimit); ctx.Err() == nil; pause(ctx, 200*time.Millisecond) {
		if err := r.services[0].signal(syscall.SIGHUP, false); err != nil {
			return err
		}
		status, body, err := r.client.send(ctx, "GET", address, nil)
		var list api.ScheduleList
		if err == nil && status == 200 && json.Unmarshal(body, &list) == nil && len(list.Schedules) == 3 &&
			!slices.ContainsFunc(list.Schedules, func(s api.Schedule) bool { return s.Enabled }) {
			return nil
		}
		if time.Now().After(deadline) {
			r.wrong("schedule", "30 s after SIGHUP the jobs are not disabled: %d %s %v", status, body, err)
			return nil
		}
	}
	return context.Cause(ctx)
}

// still is a table that nothing has changed since a time, with its rows.
type still struct {
	lane  *lane
	state state
	since time.Time
}

// judgeScheduled judges the documents of tasks that the schedules submitted after the
// tables had their rows.
func (r *run) judgeScheduled(ctx context.Context, tasks []api.TaskStatus) error {
	for _, task := range tasks {
		if task.RequestedBy == nil || task.RequestedBy.Caller != "schedule" {
			continue
		}
		r.count(fmt.Sprintf("scheduled: %s %s", task.TaskType, task.Status))
		r.mu.Lock()
		s, ok := r.stills[strings.TrimPrefix(task.TableName, "public.")]
		r.mu.Unlock()
		if task.Status == api.StatusFailed && !isReason(task.Error) {
			r.wrong("reason", "%s is FAILED without a reason: %q", task.TaskID, task.Error)
		}
		if !ok || task.Status != api.StatusCompleted || !task.SubmittedAt.After(s.since) {
			continue
		}
		c := s.lane.everyNode()
		if task.TaskType == "table-rerun" {
			c.keys = differingKeys(c, s.state)
		}
		if err := s.lane.judgeDocument(ctx, task, c, s.state); err != nil {
			return err
		}
		r.count("judged: scheduled document")
	}
	return nil
}

// differingKeys returns the keys that a comparison finds.
func differingKeys(c comparison, s state) map[string]bool {
	keys := map[string]bool{}
	for key := range c.allKeys(s) {
		if ruleoracle.Differ(versions(s, key)) {
			keys[key] = true
		}
	}
	return keys
}
