package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/diffindex"
	"ace/shared/fanout"
	"ace/shared/task"
)

const (
	// writesAtOnce is the number of writers that fill an archive.
	writesAtOnce = 32
	// pageSize is the longest page of a list.
	pageSize = 1000
	// tasksApart is the time between two archived tasks.
	tasksApart = 5 * time.Minute
	// repetitions is how often each request is measured. The first one is reported alone,
	// because the caches are empty then.
	repetitions = 10
)

// listDocuments fills the archive with documents and requests pages of their list.
func listDocuments(ctx context.Context, b *bed, r *report) error {
	if err := b.fill(ctx, r, b.documents, true); err != nil {
		return err
	}
	if err := b.begin(ctx); err != nil {
		return err
	}
	n := min(pageSize, b.documents)
	for _, page := range []struct {
		name  string
		query url.Values
	}{
		{"the newest", url.Values{}},
		{"of a table", url.Values{"table_name": {small(0)}}},
		{"with rows that differ", url.Values{"verdict": {api.VerdictDiffer}}},
	} {
		page.query.Set("limit", fmt.Sprint(pageSize))
		what := fmt.Sprintf("a page of up to %d of %d documents, %s", n, b.documents, page.name)
		if err := b.measure(ctx, r, what, "/ace/diffs?"+page.query.Encode()); err != nil {
			return err
		}
	}
	if err := b.countListed(ctx, r); err != nil {
		return err
	}
	return b.end()
}

// countListed checks that each archived document is listed once. The list also has the
// documents of the tasks that ran before.
func (b *bed) countListed(ctx context.Context, r *report) error {
	listed := map[string]int{}
	for after := ""; ; {
		path := fmt.Sprintf("/ace/diffs?limit=%d", pageSize)
		if after != "" {
			path += "&after=" + url.QueryEscape(after)
		}
		var page api.DiffList
		if err := b.service.read(ctx, path, &page); err != nil {
			return err
		}
		for _, d := range page.Diffs {
			listed[d.TaskID]++
		}
		if after = page.Next; after == "" {
			break
		}
	}
	for n := range b.documents {
		if id := archivedID(n, true); listed[id] != 1 {
			r.found("document %s is listed %d times", id, listed[id])
		}
	}
	return nil
}

// longArchive fills the archive with tasks without documents, and measures the start of
// the service and its answers.
func longArchive(ctx context.Context, b *bed, r *report) error {
	if err := b.fill(ctx, r, b.archived, false); err != nil {
		return err
	}
	if err := b.begin(ctx); err != nil {
		return err
	}
	of := fmt.Sprintf(" with %d tasks in the archive", b.archived)
	r.add("start of the service"+of, "%s until it answers", short(b.service.began))
	for _, request := range []struct{ what, path string }{
		{"task-status", api.RouteTaskStatus.Path(archivedID(b.archived/2, false))},
		{fmt.Sprintf("a page of %d tasks", pageSize), fmt.Sprintf("/ace/tasks?limit=%d", pageSize)},
		{"100 tasks of a table", "/ace/tasks?limit=100&table_name=" + small(0)},
		{"100 tasks of the cluster", "/ace/tasks?limit=100&cluster_name=" + clusterName},
		{"the tasks that run or wait", "/ace/tasks?status=" + api.StatusRunning},
		{"the first page of the failed tasks, of which there are none", "/ace/tasks?limit=100&status=" + api.StatusFailed},
		{"100 documents", "/ace/diffs"},
	} {
		if err := b.measure(ctx, r, request.what+of, request.path); err != nil {
			return err
		}
	}
	if err := b.countTasks(ctx, r); err != nil {
		return err
	}
	if err := b.idle(ctx, r, of); err != nil {
		return err
	}
	u, err := b.service.usage(ctx)
	if err != nil {
		return err
	}
	r.add("memory of the service"+of, "heap %.1f MB, resident %.0f MB; %.1f s of processor time since its start", u.heap/1e6, u.resident/1e6, u.processor.Seconds())
	return b.end()
}

// countTasks checks that the pages have each archived task once.
func (b *bed) countTasks(ctx context.Context, r *report) error {
	began := time.Now()
	listed := map[string]int{}
	for after := ""; ; {
		path := fmt.Sprintf("/ace/tasks?limit=%d", pageSize)
		if after != "" {
			path += "&after=" + url.QueryEscape(after)
		}
		var page api.TaskList
		if err := b.service.read(ctx, path, &page); err != nil {
			return err
		}
		for _, t := range page.Tasks {
			listed[t.TaskID]++
		}
		if after = page.Next; after == "" {
			break
		}
	}
	r.add(fmt.Sprintf("all pages of the %d tasks", len(listed)), "%s", short(time.Since(began)))
	for n := range b.archived {
		if id := archivedID(n, false); listed[id] != 1 {
			r.found("task %s is listed %d times", id, listed[id])
		}
	}
	return nil
}

// idleFor is more than the time between two sweeps for tasks that no process runs.
const idleFor = 31 * time.Second

// idle measures what the service uses without requests.
func (b *bed) idle(ctx context.Context, r *report, of string) error {
	before := b.service.processor()
	pause(ctx, idleFor)
	used := b.service.processor() - before
	r.add("processor time of the idle service"+of, "%s in %s, with two sweeps", short(used), idleFor)
	if used > idleFor/10 {
		r.found("the idle service used %s of processor time in %s", used, idleFor)
	}
	return ctx.Err()
}

// measure requests a path several times.
func (b *bed) measure(ctx context.Context, r *report, what, path string) error {
	var took latencies
	before := b.service.processor()
	for range repetitions {
		began := time.Now()
		var answer json.RawMessage
		if err := b.service.read(ctx, path, &answer); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	used := (b.service.processor() - before) / repetitions
	r.add(what, "first %s, then p50 %s, longest %s; %s of processor time each", short(took[0]), short(took[1:].quantile(0.5)), short(took[1:].quantile(1)), short(used))
	return nil
}

// fill writes tasks that have completed to the archive, as the service would. Their
// documents are small, because lists do not read documents. No service may run.
func (b *bed) fill(ctx context.Context, r *report, count int, documents bool) (err error) {
	store, closeStore, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	began := time.Now()
	index := diffindex.New(store)
	list := listNow
	if b.flat && !documents {
		list = listFlat
	}
	numbers := func(yield func(int) bool) {
		for n := range count {
			if !yield(n) {
				return
			}
		}
	}
	err = fanout.Each(ctx, writesAtOnce, numbers, func(ctx context.Context, n int) error {
		return put(ctx, store, index, archivedTask(n, documents), list)
	})
	r.log("  %d tasks were archived in %s", count, short(time.Since(began)))
	return err
}

// lister adds a task to the lists of tasks.
type lister func(ctx context.Context, store archive.Store, rec task.Record) error

func listNow(ctx context.Context, store archive.Store, rec task.Record) error {
	return task.NewRegistry(store, time.Now).Index(ctx, rec)
}

// listFlat writes the entry of earlier versions, which the service moves at its start.
func listFlat(ctx context.Context, store archive.Store, rec task.Record) error {
	entry, err := json.Marshal(map[string]any{
		"task_id": rec.TaskID, "task_type": rec.Type, "cluster_name": rec.ClusterName, "dbname": rec.DBName, "table_name": rec.TableName,
	})
	if err == nil {
		name := fmt.Sprintf("%013d-%s", 9_999_999_999_999-rec.SubmittedAt.UnixMilli(), rec.TaskID)
		_, err = store.Put(ctx, archive.FlatTaskIndexPrefix+name, "application/json", entry)
	}
	return err
}

// put stores the record of a task with its entries in the lists, and its document if it
// has one.
func put(ctx context.Context, store archive.Store, index *diffindex.Index, rec task.Record, list lister) error {
	const contentType = "application/json"
	record, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	_, recordErr := store.Put(ctx, archive.TaskKey(rec.TaskID), contentType, record)
	if err := errors.Join(recordErr, list(ctx, store, rec)); err != nil || rec.Document == nil {
		return err
	}
	_, documentErr := store.Put(ctx, rec.Document.Key, contentType, []byte("{}"))
	return errors.Join(documentErr, index.Add(ctx, rec))
}

// newestArchived is the time of the newest archived task: before all tasks that the
// service runs here.
func newestArchived() time.Time {
	return time.Now().UTC().Add(-24 * time.Hour).Truncate(24 * time.Hour)
}

// archivedID returns the id of an archived task. Those with documents are others than
// those without.
func archivedID(n int, document bool) string {
	suffix := "_aaaaaa"
	if document {
		suffix = "_bbbbbb"
	}
	return "td_" + newestArchived().Add(-time.Duration(n)*tasksApart).Format("20060102_150405") + suffix
}

func archivedTask(n int, document bool) task.Record {
	submitted := newestArchived().Add(-time.Duration(n) * tasksApart)
	finished := submitted.Add(3 * time.Second)
	rec := task.Record{
		TaskID: archivedID(n, document), Type: task.TableDiff, Status: task.Completed,
		SubmittedAt: submitted, StartedAt: &submitted, FinishedAt: &finished,
		ClusterName: clusterName, DBName: "shop", TableName: small(n), Parameters: json.RawMessage(`{"block_rows":10000,"quiet":true}`),
		Attempts: 1, Submission: "load", Revision: fmt.Sprint(n),
	}
	verdict, key := api.VerdictMatch, archive.DiffKey(rec.TaskID, submitted, "json")
	if n%3 == 0 {
		verdict = api.VerdictDiffer
	}
	rec.Result = json.RawMessage(fmt.Sprintf(`{"diff_file":%q,"verdict":%q,"total_rows":%d,"mismatched_rows":0,"summary":{}}`, key, verdict, n))
	if document {
		rec.Document = &task.Document{Key: key, Size: 2, SHA256: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}
	}
	return rec
}
