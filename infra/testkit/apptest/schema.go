package apptest

import (
	"bytes"
	"encoding/json"
	"net/url"
	"testing"

	"ace/shared/api"
	"ace/shared/setfile"
)

// SubmitSchema submits a schema-diff of the service's cluster and returns the id of the
// task. args are alternately names and values of parameters.
func (s *Service) SubmitSchema(t testing.TB, schema string, args ...string) string {
	t.Helper()
	return s.submitSet(t, "/ace/schema-diff", append([]string{"schema_name", schema}, args...))
}

// SubmitRepset submits a repset-diff of the service's cluster and returns the id of the
// task. args are alternately names and values of parameters.
func (s *Service) SubmitRepset(t testing.TB, repset string, args ...string) string {
	t.Helper()
	return s.submitSet(t, "/ace/repset-diff", append([]string{"repset_name", repset}, args...))
}

func (s *Service) submitSet(t testing.TB, path string, args []string) string {
	t.Helper()
	query := url.Values{"cluster_name": {s.Cluster.Name}, "confirm_delay": {"0"}}
	for i := 0; i+1 < len(args); i += 2 {
		query.Set(args[i], args[i+1])
	}
	var submitted api.Submitted
	s.Get(t, path, query, &submitted)
	return submitted.TaskID
}

// Schema describes a schema-diff or repset-diff that has ended: its status, its result,
// and the content of its document. Document is empty if the task has no document.
type Schema struct {
	Status   api.TaskStatus
	Result   api.SetResult
	Document setfile.Document
}

// SchemaEnd waits for the end of a schema-diff or repset-diff and returns its status,
// result and document.
func (s *Service) SchemaEnd(t testing.TB, taskID string) Schema {
	t.Helper()
	end := Schema{Status: s.Wait(t, taskID)}
	if len(end.Status.Result) == 0 {
		return end
	}
	if err := json.Unmarshal(end.Status.Result, &end.Result); err != nil {
		t.Fatalf("result of %s: %v in %s", taskID, err, end.Status.Result)
	}
	if end.Result.DiffFile == "" {
		return end
	}
	var err error
	if end.Document, err = setfile.Read(bytes.NewReader(s.Download(t, taskID, api.FormatJSON))); err != nil {
		t.Fatal(err)
	}
	return end
}

// Verdicts returns the verdict of each table of the document.
func (e Schema) Verdicts() map[string]string {
	verdicts := map[string]string{}
	for _, t := range e.Document.Tables {
		verdicts[t.Table.String()] = t.Verdict
	}
	return verdicts
}
