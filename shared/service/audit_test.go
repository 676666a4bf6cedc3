package service_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/faulty"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/caller"
	"ace/shared/fault"
	"ace/shared/task"
)

// as returns a context with a caller that may use the clusters.
func as(ctx context.Context, name string, clusters string, rights ...api.Right) context.Context {
	return caller.NewContext(ctx, caller.NewIdentity(
		caller.Caller{Name: name, Rights: rights, Clusters: strings.Split(clusters, ",")}, api.RequestedBy{From: "10.0.0.5", Via: "http"}))
}

func (b *bench) entries(ctx context.Context, t *testing.T) []api.AuditEntry {
	t.Helper()
	list, err := b.ListAudit(ctx, api.AuditRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Entries
}

func TestSubmit_RecordsWhoRequestedTheTaskBeforeItExists(t *testing.T) {
	b := newBench(t)
	ctx := as(t.Context(), "ci", "c", "compare")
	var order []string
	for _, prefix := range []string{"open/", "audit/", "tasks/"} {
		b.store.On(faulty.PutIfAbsent, prefix, func(int) faulty.Outcome {
			order = append(order, prefix)
			return faulty.Pass
		})
	}
	submitted, err := b.SubmitTableDiff(ctx, request(func(r *api.TableDiffRequest) { r.TableFilter = "ssn = 'secret'" }))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(order, []string{"open/", "audit/", "tasks/"}) {
		t.Errorf("the objects were written in the order %v", order)
	}

	entries := b.entries(t.Context(), t)
	if len(entries) != 1 {
		t.Fatalf("%d entries", len(entries))
	}
	e := entries[0]
	if e.Action != "table-diff" || e.Outcome != "accepted" || e.RequestedBy.Caller != "ci" || e.RequestedBy.From != "10.0.0.5" || e.TaskID != submitted.TaskID ||
		e.ClusterName != "c" || e.TableName == "" || strings.Contains(string(e.Parameters), "secret") || !strings.Contains(string(e.Parameters), "(14 bytes, see the task)") {
		t.Errorf("the entry is %+v %s", e, e.Parameters)
	}
	status, err := b.TaskStatus(ctx, api.TaskRequest{TaskID: submitted.TaskID})
	if err != nil || status.RequestedBy == nil || status.RequestedBy.Caller != "ci" || status.RequestedBy.Audit != e.ID {
		t.Errorf("the status has %+v, %v", status.RequestedBy, err)
	}
}

func TestSubmit_StartsNothingThatCannotBeRecorded(t *testing.T) {
	b := newRepairBench(t)
	rec := b.compared(t, users())
	undone := b.repaired(t, repairOf(t, rec.TaskID, nil), task.Outcome{Status: task.Completed})
	waiting, err := b.SubmitTableDiff(t.Context(), request(nil))
	if err != nil {
		t.Fatal(err)
	}
	b.starter.started = nil
	ctx := as(t.Context(), "dba", "*", api.Rights()...)
	b.store.On(faulty.PutIfAbsent, archive.AuditPrefix, faulty.Always(faulty.FailBefore))

	open, err := b.Tasks.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, act := range map[string]func() error{
		"table-diff":  func() error { _, err := b.SubmitTableDiff(ctx, request(nil)); return err },
		"table-rerun": func() error { _, err := b.SubmitTableRerun(ctx, rerunOf(t, rec.TaskID, nil)); return err },
		"table-undo":  func() error { _, err := b.SubmitTableUndo(ctx, api.TableUndoRequest{TaskID: undone}); return err },
		"task-cancel": func() error { _, err := b.CancelTask(ctx, api.TaskRequest{TaskID: waiting.TaskID}); return err },
		"import": func() error {
			_, err := b.Import(ctx, api.ImportRequest{}, strings.NewReader(peersDocument))
			return err
		},
		"rules": func() error {
			_, err := b.AddRules(ctx, api.AddRulesRequest{}, strings.NewReader(someRules))
			return err
		},
		"table-repair": func() error {
			_, err := b.SubmitTableRepair(ctx, repairOf(t, rec.TaskID, func(r *api.TableRepairRequest) { r.Table.Name = "users" }))
			return err
		},
	} {
		// Of the repair and the undo, the one that runs second finds the lock of the
		// first, whose task was never created.
		err := act()
		message := fault.PublicMessage(err)
		if err == nil || !strings.Contains(message, "nothing was done, because the audit log") && !strings.Contains(message, "is being submitted") {
			t.Errorf("%s: %v", name, err)
		}
	}
	after, err := b.Tasks.Open(t.Context())
	if err != nil || !slices.Equal(open, after) || len(b.starter.started) > 0 {
		t.Errorf("open tasks were %v and are %v, started %v, %v", open, after, b.starter.started, err)
	}
	if left := b.store.Count(faulty.PutIfAbsent, "tasks/"); left == 0 {
		t.Error("no task was ever created, so the test shows nothing")
	}
	status, err := b.TaskStatus(ctx, api.TaskRequest{TaskID: waiting.TaskID})
	if err != nil || status.Status != api.StatusQueued {
		t.Errorf("the task is %s, %v", status.Status, err)
	}
}

func TestSubmit_AnIdenticalRepairIsRecordedAsExisting(t *testing.T) {
	b := newRepairBench(t)
	rec := b.compared(t, users())
	ctx, other := as(t.Context(), "dba", "*", "repair"), as(t.Context(), "ci", "*", "repair")
	first, err := b.SubmitTableRepair(ctx, repairOf(t, rec.TaskID, nil))
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.SubmitTableRepair(other, repairOf(t, rec.TaskID, nil))
	entries := b.entries(t.Context(), t)
	if err != nil || again != first || len(entries) != 2 {
		t.Fatalf("got %+v, %v, %d entries", again, err, len(entries))
	}
	at := slices.IndexFunc(entries, func(e api.AuditEntry) bool { return e.Existing })
	if at < 0 || entries[at].RequestedBy.Caller != "ci" || entries[at].TaskID != first.TaskID || entries[1-at].Existing {
		t.Errorf("the entries are %+v", entries)
	}
	stored, err := b.Tasks.Get(t.Context(), first.TaskID)
	if err != nil || stored.RequestedBy.Caller != "dba" {
		t.Errorf("the task was requested by %+v, %v", stored.RequestedBy, err)
	}
}

func TestSubmit_AnIDOfAnEndedTaskIsRecordedForNoOtherTask(t *testing.T) {
	b := newBench(t)
	ended := b.compared(t, users()) // the id of the next task has the same second
	submitted, err := b.SubmitTableDiff(as(t.Context(), "ci", "*", "compare"), request(nil))
	entries := b.entries(t.Context(), t)
	if err != nil || submitted.TaskID == ended.TaskID || len(entries) != 1 || entries[0].TaskID != submitted.TaskID {
		t.Errorf("got %+v, %v, entries %+v", submitted, err, entries)
	}
}

func TestCaller_SeesOnlyItsClusters(t *testing.T) {
	b := newRepairBench(t)
	rec := b.compared(t, users())
	repair := b.repaired(t, repairOf(t, rec.TaskID, nil), task.Outcome{Status: task.Completed})
	if err := b.Diffs.Add(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	other := as(t.Context(), "other", "lonely", api.Rights()...)
	for name, act := range map[string]func(context.Context) error{
		"task-status": func(ctx context.Context) error {
			_, err := b.TaskStatus(ctx, api.TaskRequest{TaskID: rec.TaskID})
			return err
		},
		"task-cancel": func(ctx context.Context) error {
			_, err := b.CancelTask(ctx, api.TaskRequest{TaskID: rec.TaskID})
			return err
		},
		"diffs": func(ctx context.Context) error {
			_, err := b.Diff(ctx, api.DiffRequest{TaskID: rec.TaskID, Format: "json"})
			return err
		},
		"reports": func(ctx context.Context) error {
			_, err := b.Report(ctx, api.ReportRequest{TaskID: repair})
			return err
		},
		"before-images": func(ctx context.Context) error {
			_, err := b.RowsBefore(ctx, api.TaskRequest{TaskID: repair})
			return err
		},
		"set document": func(ctx context.Context) error { _, err := b.SetDocument(ctx, rec.TaskID); return err },
		"undo": func(ctx context.Context) error {
			_, err := b.SubmitTableUndo(ctx, api.TableUndoRequest{TaskID: repair})
			return err
		},
		"a foreign document": func(ctx context.Context) error {
			_, err := b.SubmitTableRerun(ctx, rerunOf(t, rec.TaskID, func(r *api.TableRerunRequest) { r.ClusterName = "lonely" }))
			return err
		},
	} {
		err := act(other)
		missing := act(other) // the message must be that of a task that does not exist
		if fault.CodeOf(err) != fault.NotFound || !strings.Contains(fault.PublicMessage(err), "does not exist") || fault.PublicMessage(missing) != fault.PublicMessage(err) {
			t.Errorf("%s: %v", name, err)
		}
	}

	for name, act := range map[string]func(context.Context, string) error{
		"table-diff": func(ctx context.Context, c string) error {
			_, err := b.SubmitTableDiff(ctx, request(func(r *api.TableDiffRequest) { r.ClusterName = c }))
			return err
		},
		"table-rerun": func(ctx context.Context, c string) error {
			_, err := b.SubmitTableRerun(ctx, rerunOf(t, rec.TaskID, func(r *api.TableRerunRequest) { r.ClusterName = c }))
			return err
		},
		"table-repair": func(ctx context.Context, c string) error {
			_, err := b.SubmitTableRepair(ctx, repairOf(t, rec.TaskID, func(r *api.TableRepairRequest) { r.ClusterName = c }))
			return err
		},
		"schema-diff": func(ctx context.Context, c string) error {
			_, err := b.SubmitSchemaDiff(ctx, api.SchemaDiffRequest{SetRequest: api.SetRequest{ClusterName: c}})
			return err
		},
		"tasks": func(ctx context.Context, c string) error {
			_, err := b.ListTasks(ctx, api.TasksRequest{ClusterName: c})
			return err
		},
		"diffs": func(ctx context.Context, c string) error {
			_, err := b.ListDiffs(ctx, api.DiffsRequest{ClusterName: c})
			return err
		},
		"clusters": func(ctx context.Context, c string) error {
			_, err := b.ListClusters(ctx, api.ClustersRequest{ClusterName: c})
			return err
		},
		"cluster-check": func(ctx context.Context, c string) error {
			_, err := b.CheckClusters(ctx, api.ClusterCheckRequest{ClusterName: c})
			return err
		},
		"tables": func(ctx context.Context, c string) error {
			_, err := b.ListTables(ctx, api.TablesRequest{ClusterName: c})
			return err
		},
		"audit": func(ctx context.Context, c string) error {
			_, err := b.ListAudit(ctx, api.AuditRequest{ClusterName: c})
			return err
		},
	} {
		for _, cluster := range []string{"c", "unknown"} {
			err := act(other, cluster)
			if want := "the caller other may not use the cluster " + cluster; fault.CodeOf(err) != fault.Forbidden || fault.PublicMessage(err) != want {
				t.Errorf("%s of %s: %v", name, cluster, err)
			}
		}
	}

	tasks, err := b.ListTasks(other, api.TasksRequest{})
	if err != nil || len(tasks.Tasks) != 0 {
		t.Errorf("it sees the tasks %+v, %v", tasks.Tasks, err)
	}
	diffs, err := b.ListDiffs(other, api.DiffsRequest{})
	if err != nil || len(diffs.Diffs) != 0 {
		t.Errorf("it sees the documents %+v, %v", diffs.Diffs, err)
	}
	clusters, err := b.ListClusters(other, api.ClustersRequest{})
	if err != nil || len(clusters.Clusters) != 1 || len(clusters.Clusters[0].Nodes) != 1 {
		t.Errorf("it sees the clusters %+v, %v", clusters.Clusters, err)
	}
	if _, err := b.Import(as(t.Context(), "dba", "*", "compare"), api.ImportRequest{}, strings.NewReader(peersDocument)); err != nil {
		t.Fatal(err)
	}
	if entries := b.entries(other, t); len(entries) != 0 {
		t.Errorf("it sees the entries %+v", entries)
	}

	same := as(t.Context(), "same", "c", "read")
	if tasks, err := b.ListTasks(same, api.TasksRequest{}); err != nil || len(tasks.Tasks) != 2 {
		t.Errorf("a caller of the cluster sees the tasks %+v, %v", tasks.Tasks, err)
	}
	if diffs, err := b.ListDiffs(same, api.DiffsRequest{}); err != nil || len(diffs.Diffs) != 1 {
		t.Errorf("a caller of the cluster sees the documents %+v, %v", diffs.Diffs, err)
	}
}

func TestOwnTask_CanBeSeenAndCancelledWithTheRightToStartIt(t *testing.T) {
	for _, tt := range []struct {
		name, who     string
		right         api.Right
		sees, cancels bool
	}{
		{"the caller itself", "ci", "compare", true, true},
		{"another caller", "other", "compare", false, false},
		{"a reader", "reader", "read", true, false},
		{"an operator", "dba", "repair", false, true},
		{"the caller without the right", "ci", "read", true, false},
	} {
		b := newBench(t)
		submitted, err := b.SubmitTableDiff(as(t.Context(), "ci", "c", "compare"), request(nil))
		if err != nil {
			t.Fatal(err)
		}
		who := as(t.Context(), tt.who, "c", tt.right)
		_, err = b.TaskStatus(who, api.TaskRequest{TaskID: submitted.TaskID})
		if (err == nil) != tt.sees || err != nil && fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("%s: status %v", tt.name, err)
		}
		_, err = b.CancelTask(who, api.TaskRequest{TaskID: submitted.TaskID})
		if (err == nil) != tt.cancels || err != nil && fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("%s: cancel %v", tt.name, err)
		}
		entries := b.entries(t.Context(), t)
		if cancelled := slices.ContainsFunc(entries, func(e api.AuditEntry) bool { return e.Action == "task-cancel" }); cancelled != tt.cancels {
			t.Errorf("%s: the entries are %+v", tt.name, entries)
		}
	}
}
