package service_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"ace/infra/testkit/faulty"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
)

const (
	headOfDocument = `{"format":"ace-diff/1","summary":{"cluster_name":%q,"dbname":%q,"schema":"public","table":%q,` +
		`"primary_key":["id"],"columns":[{"name":"id","type":"bigint"}],"nodes":["n1","n2"],"pairs":{}},"diffs":{}}`
	peersDocument = `{"diffs":{"n1/n2":{"n1":[{"id":1}],"n2":[]}}}`
)

// compared stores a document as the outcome of a comparison.
func (b *bench) compared(t *testing.T, body string) task.Record {
	t.Helper()
	held := b.running(t)
	document := task.Document{Key: archive.DiffKey(held.Record().TaskID, noon, "json"), Size: int64(len(body)), SHA256: hash(body)}
	if _, err := b.store.Put(t.Context(), document.Key, "application/json", []byte(body)); err != nil {
		t.Fatal(err)
	}
	rec, err := held.Finish(t.Context(), task.Outcome{Status: task.Completed, Document: &document})
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.starter.started = nil
	return rec
}

// imported imports a document and returns its key.
func (b *bench) imported(t *testing.T, body string) string {
	t.Helper()
	key := archive.ImportPrefix + hash(body) + ".json"
	if _, err := b.store.Put(t.Context(), key, "application/json", []byte(body)); err != nil {
		t.Fatal(err)
	}
	return key
}

func hash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

func newRepairBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.Location = archive.Location{Bucket: "ace", Prefix: "team"}
	return b
}

func diffFile(t *testing.T, text string) api.DiffFile {
	t.Helper()
	f, err := api.ParseDiffFile(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func users() string { return fmt.Sprintf(headOfDocument, "c", "app", "users") }

func rerunOf(t *testing.T, file string, change func(*api.TableRerunRequest)) api.TableRerunRequest {
	t.Helper()
	req := api.NewTableRerunRequest()
	req.ClusterName, req.Table, req.DiffFile = "c", api.TableName{Schema: "public", Name: "users"}, diffFile(t, file)
	if change != nil {
		change(&req)
	}
	return req
}

func repairOf(t *testing.T, file string, change func(*api.TableRepairRequest)) api.TableRepairRequest {
	t.Helper()
	req := api.TableRepairRequest{
		ClusterName: "c", Table: api.TableName{Schema: "public", Name: "users"}, DiffFile: diffFile(t, file), SourceOfTruth: "n1",
	}
	if change != nil {
		change(&req)
	}
	return req
}

func TestSubmitTableRerun_FindsTheDocumentByEveryNameOfIt(t *testing.T) {
	b := newRepairBench(t)
	rec := b.compared(t, users())
	key := b.imported(t, users())
	imported := task.Document{Key: key, Size: int64(len(users())), SHA256: hash(users())}
	for name, want := range map[string]task.Document{
		rec.TaskID:                          *rec.Document,
		rec.Document.Key:                    *rec.Document,
		"s3://ace/team/" + rec.Document.Key: *rec.Document,
		strings.Replace(rec.Document.Key, ".json", ".html", 1): *rec.Document,
		key:                    imported,
		"s3://ace/team/" + key: imported,
	} {
		t.Run(name, func(t *testing.T) {
			submitted, err := b.SubmitTableRerun(t.Context(), rerunOf(t, name, nil))
			if err != nil || !strings.HasPrefix(submitted.TaskID, "tr_") {
				t.Fatalf("got %+v, %v", submitted, err)
			}
			got, err := b.Tasks.Get(t.Context(), submitted.TaskID)
			if err != nil || got.Type != task.TableRerun || got.Input == nil || *got.Input != want {
				t.Errorf("stored %+v with document %+v, %v", got, got.Input, err)
			}
			if !slices.Contains(b.starter.started, submitted.TaskID) {
				t.Errorf("started %v", b.starter.started)
			}
		})
	}
}

func TestSubmitTableRerun_AcceptsADocumentOfTheOlderACE(t *testing.T) {
	b := newRepairBench(t)
	if _, err := b.SubmitTableRerun(t.Context(), rerunOf(t, b.imported(t, peersDocument), nil)); err != nil {
		t.Error(err)
	}
}

func TestSubmit_ARequestThatContradictsTheDocumentCreatesNoTask(t *testing.T) {
	b := newRepairBench(t)
	good := b.compared(t, users())
	waiting, err := b.SubmitTableDiff(t.Context(), request(nil))
	if err != nil {
		t.Fatal(err)
	}
	b.starter.started = nil
	day := strings.TrimSuffix(good.Document.Key, good.TaskID+".json")
	tests := []struct {
		name, file string
		change     func(*api.TableRerunRequest)
		code       fault.Code
		says       string
	}{
		{"an unknown cluster", good.TaskID, func(r *api.TableRerunRequest) { r.ClusterName = "d" }, fault.NotFound, `"d"`},
		{"an unknown database", good.TaskID, func(r *api.TableRerunRequest) { r.DBName = "nope" }, fault.Invalid, `"nope"`},
		{"an unknown task", "td_19990101_000000", nil, fault.NotFound, "td_19990101_000000 does not exist"},
		{"a task that has not ended", waiting.TaskID, nil, fault.NotFound, "QUEUED: it has no diff document yet"},
		{"the key of no task", "diffs/1999-01-01/td_19990101_000000.json", nil, fault.NotFound, "td_19990101_000000 does not exist"},
		{"the key of another day", "diffs/1999-01-01/" + good.TaskID + ".json", nil, fault.NotFound, "is " + day + good.TaskID},
		{"no import", "imports/" + hash("x") + ".json", nil, fault.NotFound, "no imported document"},
		{"another bucket", "s3://else/team/" + good.Document.Key, nil, fault.Invalid, "which is not in the archive s3://ace/team: POST the document to /ace/diffs"},
		{"another prefix", "s3://ace/" + good.Document.Key, nil, fault.Invalid, "which is not in the archive s3://ace/team:"},
		{"a document of another cluster", b.imported(t, fmt.Sprintf(headOfDocument, "d", "app", "users")), nil, fault.Invalid,
			"diff_file is of cluster d, cluster_name is c"},
		{"a document of another database", good.TaskID, func(r *api.TableRerunRequest) { r.DBName = "other" }, fault.Invalid,
			"diff_file is of database app, dbname is other"},
		{"a document of another table", good.TaskID, func(r *api.TableRerunRequest) { r.Table.Name = "orders" }, fault.Invalid,
			"diff_file is of table public.users, table_name is public.orders"},
		{"a document of a node that is switched off", b.imported(t, strings.Replace(users(), `"n2"`, `"n9"`, 1)), nil, fault.Invalid,
			"diff_file is of the nodes n1, n9, cluster c has the active nodes n1, n2, n3"},
		{"no document", b.imported(t, `{"x": 1}`), nil, fault.Invalid, "not a diff document"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := b.store.Count(faulty.PutIfAbsent, "")
			rerun := rerunOf(t, tt.file, tt.change)
			repair := repairOf(t, tt.file, func(r *api.TableRepairRequest) {
				r.ClusterName, r.DBName, r.Table = rerun.ClusterName, rerun.DBName, rerun.Table
			})
			_, rerunErr := b.SubmitTableRerun(t.Context(), rerun)
			_, repairErr := b.SubmitTableRepair(t.Context(), repair)
			for _, err := range []error{rerunErr, repairErr} {
				if fault.CodeOf(err) != tt.code || !strings.Contains(fault.PublicMessage(err), tt.says) {
					t.Errorf("got %v, want code %s and %s", err, tt.code, tt.says)
				}
			}
			if n := b.store.Count(faulty.PutIfAbsent, "") - before; n != 0 || len(b.starter.started) != 0 {
				t.Errorf("%d objects were written, started %v", n, b.starter.started)
			}
		})
	}
}

func TestSubmitTableRepair_AcceptsOnlyNodesOfTheDocument(t *testing.T) {
	b := newRepairBench(t)
	ours, peers := b.compared(t, users()).TaskID, b.imported(t, peersDocument)
	tests := []struct {
		name, file string
		change     func(*api.TableRepairRequest)
		says       string
	}{
		{"a source that the cluster has but the document has not", ours, func(r *api.TableRepairRequest) { r.SourceOfTruth = "n3" },
			`source_of_truth is "n3"; it must be a node of diff_file: n1, n2`},
		{"a target that the cluster has but the document has not", ours, func(r *api.TableRepairRequest) { r.Nodes = []string{"n2", "n3"} },
			`nodes has "n3"; it must have only nodes of diff_file: n1, n2`},
		{"a source that the cluster has not", peers, func(r *api.TableRepairRequest) { r.SourceOfTruth = "n4" },
			`source_of_truth is "n4"; it must be a node of diff_file: n1, n2, n3`},
		{"a target that is switched off", peers, func(r *api.TableRepairRequest) { r.Nodes = []string{"n9"} },
			`nodes has "n9"; it must have only nodes of diff_file: n1, n2, n3`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.SubmitTableRepair(t.Context(), repairOf(t, tt.file, tt.change))
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.says) {
				t.Errorf("got %v, want %s", err, tt.says)
			}
		})
	}
}

func TestSubmitTableRepair_OnlyTheNodesThatItUsesMustExist(t *testing.T) {
	b := newRepairBench(t)
	file := b.imported(t, strings.Replace(users(), `["n1","n2"]`, `["n1","n2","n9"]`, 1))
	if _, err := b.SubmitTableRepair(t.Context(), repairOf(t, file, nil)); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("all nodes, of which n9 is switched off: %v", err)
	}
	if _, err := b.SubmitTableRepair(t.Context(), repairOf(t, file, func(r *api.TableRepairRequest) { r.Nodes = []string{"n2"} })); err != nil {
		t.Errorf("n2 only: %v", err)
	}
}

func TestSubmitTableRepair_AnIdenticalRequestReturnsTheExistingTask(t *testing.T) {
	b := newRepairBench(t)
	rec := b.compared(t, users())
	first, err := b.SubmitTableRepair(t.Context(), repairOf(t, rec.TaskID, nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, req := range map[string]api.TableRepairRequest{
		"repeated":                     repairOf(t, rec.TaskID, nil),
		"with the key of the document": repairOf(t, rec.Document.Key, nil),
		"with the address":             repairOf(t, "s3://ace/team/"+rec.Document.Key, nil),
		"with the database":            repairOf(t, rec.TaskID, func(r *api.TableRepairRequest) { r.DBName = "app" }),
	} {
		if again, err := b.SubmitTableRepair(t.Context(), req); err != nil || again != first {
			t.Errorf("%s: got %+v, %v, want %+v", name, again, err, first)
		}
	}
	for name, change := range map[string]func(*api.TableRepairRequest){
		"another source": func(r *api.TableRepairRequest) { r.SourceOfTruth = "n2" },
		"a dry run":      func(r *api.TableRepairRequest) { r.DryRun = true },
		"fewer changes":  func(r *api.TableRepairRequest) { r.UpsertOnly = true },
	} {
		_, err := b.SubmitTableRepair(t.Context(), repairOf(t, rec.TaskID, change))
		if fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.PublicMessage(err), first.TaskID) {
			t.Errorf("%s: got %v, want a conflict with %s", name, err, first.TaskID)
		}
	}
	if open, err := b.Tasks.Open(t.Context()); err != nil || len(open) != 1 {
		t.Errorf("open tasks are %v, %v", open, err)
	}
}

func TestSubmitTableRepair_ConcurrentIdenticalRequestsAreOneTask(t *testing.T) {
	b := newRepairBench(t)
	b.Starter = quiet{}
	rec := b.compared(t, users())
	ids := make([]string, 12)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			submitted, err := b.SubmitTableRepair(context.Background(), repairOf(t, rec.TaskID, nil))
			if err != nil {
				t.Error(err)
			}
			ids[i] = submitted.TaskID
		})
	}
	wg.Wait()
	if distinct := slices.Compact(slices.Sorted(slices.Values(ids))); len(distinct) != 1 {
		t.Errorf("answered %v", distinct)
	}
}

// quiet is a Starter that starts nothing. It is safe for concurrent use.
type quiet struct{ *starter }

func (quiet) Submit(ctx context.Context, create func(context.Context) (string, error)) error {
	_, err := create(ctx)
	return err
}

// repaired submits a repair and ends it with an outcome.
func (b *bench) repaired(t *testing.T, req api.TableRepairRequest, end task.Outcome) string {
	t.Helper()
	submitted, err := b.SubmitTableRepair(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	held, err := b.Tasks.Acquire(t.Context(), submitted.TaskID, "test", task.AcquireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.Finish(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	return submitted.TaskID
}

func TestSubmitTableUndo_RequiresAnEndedRepair(t *testing.T) {
	b := newRepairBench(t)
	compared := b.compared(t, users())
	completed := b.repaired(t, repairOf(t, compared.TaskID, nil), task.Outcome{Status: task.Completed, Result: json.RawMessage("{}")})
	failed := b.repaired(t, repairOf(t, compared.TaskID, nil), task.Outcome{Status: task.Failed, Error: fault.New(fault.Unavailable, "n2 is gone")})
	dry := b.repaired(t, repairOf(t, compared.TaskID, func(r *api.TableRepairRequest) { r.DryRun = true }), task.Outcome{Status: task.Completed})
	rerun, err := b.SubmitTableRerun(t.Context(), rerunOf(t, compared.TaskID, nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		id   string
		code fault.Code
		says string
	}{
		"no such task": {"tr_19990101_000000", fault.NotFound, "does not exist"},
		"a comparison": {compared.TaskID, fault.Invalid, "which is a table-diff: only a table-repair can be undone"},
		"a rerun":      {rerun.TaskID, fault.Invalid, "which is a table-rerun: only a table-repair can be undone"},
		"a dry run":    {dry, fault.Invalid, "a dry run"},
	} {
		if _, err := b.SubmitTableUndo(t.Context(), api.TableUndoRequest{TaskID: tt.id}); fault.CodeOf(err) != tt.code || !strings.Contains(fault.PublicMessage(err), tt.says) {
			t.Errorf("%s: got %v, want %s", name, err, tt.says)
		}
	}
	undo, err := b.SubmitTableUndo(t.Context(), api.TableUndoRequest{TaskID: completed})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := b.Tasks.Get(t.Context(), undo.TaskID)
	if err != nil || rec.Type != task.TableUndo || rec.ClusterName != "c" || rec.DBName != "app" || rec.TableName != "public.users" {
		t.Errorf("the record is %+v, %v", rec, err)
	}
	if again, err := b.SubmitTableUndo(t.Context(), api.TableUndoRequest{TaskID: completed}); err != nil || again != undo {
		t.Errorf("repeated: %+v, %v", again, err)
	}
	if _, err := b.SubmitTableUndo(t.Context(), api.TableUndoRequest{TaskID: failed}); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), undo.TaskID) {
		t.Errorf("another undo: %v", err)
	}
	if _, err := b.SubmitTableRepair(t.Context(), repairOf(t, compared.TaskID, nil)); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), undo.TaskID) {
		t.Errorf("a repair meanwhile: %v", err)
	}
	if _, err := b.SubmitTableUndo(t.Context(), api.TableUndoRequest{TaskID: undo.TaskID}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("an undo of the undo: %v", err)
	}
}

func TestSubmitTableUndo_OfARunningRepairIsAConflict(t *testing.T) {
	b := newRepairBench(t)
	repair, err := b.SubmitTableRepair(t.Context(), repairOf(t, b.compared(t, users()).TaskID, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.SubmitTableUndo(t.Context(), api.TableUndoRequest{TaskID: repair.TaskID}); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("got %v", err)
	}
}
