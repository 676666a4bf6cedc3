//go:build !unit

package app_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"ace/infra/testkit/apicheck"
	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/endpoint"
)

// saved downloads a file and checks that its ETag is its SHA-256.
func saved(t *testing.T, s *apptest.Service, path string) (name, body string) {
	t.Helper()
	path, query, _ := strings.Cut(path, "?")
	response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: path, RawQuery: query})
	if response.Status != 200 || response.File == nil {
		t.Fatalf("%s: status %d: %s", path, response.Status, response.Body)
	}
	content, err := response.File.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	raw, err := io.ReadAll(content)
	if err != nil || strings.HasSuffix(response.File.Name, ".json") && !json.Valid(raw) {
		t.Errorf("%s: %v in %s", path, err, raw)
	}
	if sum := sha256.Sum256(raw); response.File.ETag != hex.EncodeToString(sum[:]) || response.File.Size != int64(len(raw)) {
		t.Errorf("%s: ETag %s, %d bytes, content %x, %d bytes", path, response.File.ETag, response.File.Size, sum, len(raw))
	}
	if response.File.ContentType == "application/json" {
		apicheck.Document(t, path, raw)
	}
	return response.File.Name, string(raw)
}

func TestTableRepair_ItsReportAndBeforeImagesCanBeDownloaded(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a')`)
	c.Exec(t, 1, `INSERT INTO t VALUES (1, 'b')`)
	c.Exec(t, 2, `ALTER TABLE t ADD CHECK (v <> 'a')`)
	reported := func(r *api.TableRepairRequest) { r.GenerateReport = true }
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", reported)
	if r.Status != api.StatusFailed || r.Nodes["n2"].Outcome != api.OutcomeCommitted { // n3 refuses the repair, but n2 has committed
		t.Fatalf("%+v", r)
	}
	name, report := saved(t, s, "/ace/reports/"+r.TaskID)
	if name != r.TaskID+".report.json" || !strings.Contains(report, `{"before":{"id":1,"v":"b"},"after":{"id":1,"v":"a"}}`) {
		t.Errorf("%s: %s", name, report)
	}
	name, before := saved(t, s, "/ace/before-images/"+r.TaskID)
	if name != r.TaskID+".before-images.json" || strings.Count(before, `"before":`) != 1 || !strings.Contains(before, `"before":{"id":1,"v":"b"}`) {
		t.Errorf("%s: %s", name, before)
	}
	var submitted api.Submitted
	s.Get(t, "/ace/table-undo", map[string][]string{"task_id": {r.TaskID}}, &submitted)
	s.Wait(t, submitted.TaskID)
	if _, before = saved(t, s, "/ace/before-images/"+submitted.TaskID); !strings.Contains(before, `"before":{"id":1,"v":"a"}`) {
		t.Errorf("before the undo: %s", before)
	}
}
