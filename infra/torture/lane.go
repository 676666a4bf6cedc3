package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"time"

	"ace/shared/api"
)

// lane is a sequence of operations on one table. Lanes run at the same time.
type lane struct {
	*run
	table table
	r     *rand.Rand
	last  string          // the newest document of the table, or ""
	keys  map[string]bool // the keys of that document

	do         func(*lane, context.Context) error
	unstable   func(key string) bool // keys that an application writes, or nil
	background func(*lane, context.Context)
	// isRewritten states that the background writes rows again without changing them, so
	// that their commit times do not stay as the oracle reads them.
	isRewritten bool
	begun       sync.Once
	final       bool // all faults are healed, so tasks must complete
}

// lanes returns the work of a run. Each lane draws from its own source, so that what it
// does depends on the seed only.
func lanes(r *run) []func(context.Context) error {
	var work []func(context.Context) error
	all := []*lane{
		{table: tables()["still"], do: (*lane).compareStill},
		{table: tables()["paged"], do: (*lane).compareStill},
		{table: tables()["fixed"], do: (*lane).repairAndUndo},
		{table: tables()["ruled"], do: (*lane).repairAndUndo},
		{table: tables()["busy"], do: (*lane).repairAndUndo, unstable: isWritten, background: (*lane).write},
		{table: tables()["altered"], do: (*lane).compareStill, background: (*lane).alter, isRewritten: true},
		{table: tables()["shaken"], do: (*lane).repairAndUndo, background: (*lane).alter, isRewritten: true},
	}
	if _, ok := r.has(conflictFault); ok {
		all = append(all, &lane{table: tables()["reading"], do: (*lane).compareReading})
	}
	for i, l := range all {
		l.run, l.r = r, rand.New(rand.NewPCG(r.seed, uint64(100+i)))
		work = append(work, l.work)
	}
	return work
}

// work does the operations of the lane while the background changes its table.
func (l *lane) work(ctx context.Context) error {
	var background sync.WaitGroup
	if l.background != nil {
		background.Go(func() { l.background(l, ctx) })
	}
	err := l.do(l, ctx)
	l.begin()
	background.Wait()
	if err != nil {
		return fmt.Errorf("table %s: %w", l.table.name, err)
	}
	return nil
}

// begin states that the lane is ready for faults.
func (l *lane) begin() { l.begun.Do(l.planted.Done) }

// everyNode is the comparison of the whole table on all nodes.
func (l *lane) everyNode() comparison {
	return comparison{table: l.table, nodes: []int{0, 1, 2}, unstable: l.unstable}
}

// drawComparison draws the parameters of a table-diff, and what the oracle must know of
// them.
func (l *lane) drawComparison() (comparison, map[string]string) {
	c, params := l.everyNode(), map[string]string{
		"block_rows": fmt.Sprint(1000 + l.r.IntN(2000)), "batch_size": fmt.Sprint(1 + l.r.IntN(3)), "max_cpu_ratio": "1",
		"confirm_delay": []string{"0", "50ms", "300ms"}[l.r.IntN(3)],
	}
	switch l.r.IntN(7) {
	case 0:
		params["sequential_scan"] = "always"
	case 1:
		params["nodes"], c.nodes = "n1,n3", []int{0, 2}
	case 2:
		params["ignore_columns"], c.ignored = "v", []string{"v"}
	case 3:
		params["baseline"] = "last"
	case 4:
		params["checksum"] = "sha256"
	case 5:
		params["output"] = []string{"csv", "html"}[l.r.IntN(2)]
	}
	return c, params
}

// compare submits a table-diff or table-rerun, waits for its end and judges the document.
// It returns the id of a COMPLETED task, or "".
func (l *lane) compare(ctx context.Context, operation string, c comparison, params map[string]string, s state) (string, error) {
	id, err := l.client.submit(ctx, operation, l.table.name, params)
	if err != nil {
		return "", err
	}
	if l.r.IntN(12) == 0 && !l.over() {
		if _, err := l.client.get(ctx, "/ace/task-cancel/"+id); err != nil {
			return "", err
		}
	}
	status, err := l.client.wait(ctx, id)
	if err != nil {
		return "", err
	}
	l.ended(status)
	if status.Status != api.StatusCompleted {
		return "", nil
	}
	return id, l.judgeDocument(ctx, status, c, s)
}

// ended counts the end of a task and checks that a failure has a reason.
func (l *lane) ended(status api.TaskStatus) {
	l.count("task: " + status.TaskType + " " + status.Status)
	if status.Status == api.StatusFailed && !isReason(status.Error) {
		l.wrong("reason", "%s is FAILED without a reason: %q", status.TaskID, status.Error)
	}
	if status.Status == api.StatusFailed && l.final {
		l.wrong("liveness", "%s was submitted after all faults were healed and is FAILED: %s", status.TaskID, status.Error)
	}
}

// reasonPattern matches what an error of a task must name: a node, the archive, a table,
// the definitions of clusters, or a service.
var reasonPattern = regexp.MustCompile(`"n[123]"|node n[123]\b|\bthe archive\b|\bpublic\.\w+|\bthe cluster definitions\b|\bservice\b`)

// isReason reports whether the error of a task names a reason. A defect is none.
func isReason(text string) bool {
	return reasonPattern.MatchString(text) && !strings.Contains(text, "a defect in ACE")
}

// judgeDocument compares the document of a COMPLETED comparison with the state.
func (l *lane) judgeDocument(ctx context.Context, status api.TaskStatus, c comparison, s state) error {
	var result api.DiffResult
	if err := json.Unmarshal(status.Result, &result); err != nil {
		return err
	}
	d, err := l.document(ctx, status.TaskID)
	if err != nil {
		var refused refusal
		if errors.As(err, &refused) {
			l.wrong("document", "%s is COMPLETED but has no document: %v", status.TaskID, err)
			return nil
		}
		return err
	}
	l.count("judged: document")
	if wrong := c.fault(l.names(), s, result, d); wrong != "" {
		l.wrong("document", "%s of %s (%s): %s", status.TaskID, l.table.name, status.Parameters, wrong)
	}
	return nil
}

// compareStill compares a table that nothing changes, in all ways. So every document must
// be exactly right.
func (l *lane) compareStill(ctx context.Context) error {
	l.table.drift(ctx, l.r, l.bed.nodes)
	s, err := l.table.readAll(ctx, l.bed.nodes)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.stills[l.table.name] = still{l, s, time.Now()}
	l.mu.Unlock()
	l.begin()
	l.planted.Wait()
	for !l.over() {
		if err := l.compareOnce(ctx, s); err != nil {
			return err
		}
	}
	return l.finish(ctx, s)
}

func (l *lane) compareOnce(ctx context.Context, s state) error {
	if l.last != "" && l.r.IntN(4) == 0 {
		c := l.everyNode()
		c.keys = l.keys
		behavior := []string{"multiprocessing", "hostdb"}[l.r.IntN(2)]
		_, err := l.compare(ctx, "table-rerun", c, map[string]string{"diff_file": l.last, "behavior": behavior}, s)
		return err
	}
	if l.r.IntN(6) == 0 {
		return l.compareSchema(ctx, s)
	}
	c, params := l.drawComparison()
	id, err := l.compare(ctx, "table-diff", c, params, s)
	if err != nil || id == "" || len(c.nodes) < 3 || len(c.ignored) > 0 {
		return err
	}
	return l.remember(ctx, id)
}

// remember makes the document of a task the one for reruns.
func (l *lane) remember(ctx context.Context, id string) error {
	d, err := l.document(ctx, id)
	if err != nil {
		return err
	}
	rows, err := d.rows(l.everyNode())
	if err != nil {
		return nil //nolint:nilerr // the judge of the document has reported it
	}
	l.last, l.keys = id, map[string]bool{}
	for place := range rows {
		l.keys[strings.SplitN(place, " ", 3)[2]] = true
	}
	return nil
}

// compareSchema compares the table as part of its schema, or of a publication.
func (l *lane) compareSchema(ctx context.Context, s state) error {
	operation, params := "schema-diff", map[string]string{"schema_name": "public", "tables": l.table.name, "confirm_delay": "50ms"}
	if l.background == nil && l.r.IntN(2) == 0 {
		operation, params = "repset-diff", map[string]string{"repset_name": l.table.name, "confirm_delay": "50ms"}
	}
	id, err := l.client.submit(ctx, operation, "", params)
	if err != nil {
		return err
	}
	status, err := l.client.wait(ctx, id)
	if err != nil {
		return err
	}
	l.ended(status)
	if status.Status != api.StatusCompleted {
		return nil
	}
	parts, err := l.client.tasks(ctx, "parent="+id)
	if err != nil {
		return err
	}
	if len(parts) != 1 || parts[0].Status != api.StatusCompleted {
		l.wrong("schema", "%s is COMPLETED with tasks %+v", id, parts)
		return nil
	}
	l.client.accept(parts[0].TaskID, operation+" "+id)
	return l.judgeDocument(ctx, parts[0], l.everyNode(), s)
}

// finish waits until all faults are healed and then compares the table, which must
// succeed.
func (l *lane) finish(ctx context.Context, s state) error {
	l.awaitHealed(ctx)
	params := map[string]string{"confirm_delay": "50ms"}
	if l.table.name == "reading" {
		params["cluster_name"] = readingCluster
	}
	id, err := l.compare(ctx, "table-diff", l.everyNode(), params, s)
	if err == nil && id == "" {
		l.wrong("liveness", "table %s could not be compared after all faults were healed", l.table.name)
	}
	return err
}
