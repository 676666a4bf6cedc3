//go:build !unit

package main_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive/storetest"
	"ace/shared/endpoint"
)

func TestRepairFiles_AreDownloadedLikeDocuments(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	c.Exec(t, 1, `UPDATE tiny SET name = repeat('x', 2000)`)
	h := newHome(t, c)
	s := h.serve(t, nil)
	diff := s.submit(t, c, "public.tiny")
	s.completed(t, diff)
	var submitted api.Submitted
	s.read(t, "/ace/table-repair", "cluster_name="+c.Name+"&table_name=public.tiny&source_of_truth=n1&generate_report=true&diff_file="+diff, &submitted)
	id := submitted.TaskID
	if status := s.end(t, id); status.Status != api.StatusCompleted {
		t.Fatalf("the repair ended %s: %s", status.Status, status.Error)
	}
	transports, plain := s.everywhere(t), endpoint.Header{"accept-encoding": "identity"}
	for path, name := range map[string]string{"/ace/reports/" + id: id + ".report.json", "/ace/before-images/" + id: id + ".before-images.json"} {
		whole := s.do(t, endpoint.Request{Method: "GET", Path: path, Header: plain})
		sum, size := sha256.Sum256(whole.Body), len(whole.Body)
		etag := `"` + hex.EncodeToString(sum[:]) + `"`
		if whole.Status != 200 || strings.Count(string(whole.Body), `"before":{"id":`) != 10 {
			t.Fatalf("%s: %d %.200s", path, whole.Status, whole.Body)
		}
		for header, want := range map[string]string{
			"Etag": etag, "Content-Type": "application/json", "Content-Disposition": "attachment; filename=" + name, "Accept-Ranges": "bytes",
		} {
			if got := whole.Header[header]; got != want {
				t.Errorf("%s: %s is %q, want %q", path, header, got, want)
			}
		}
		part := s.do(t, endpoint.Request{Method: "GET", Path: path, Header: endpoint.Header{"range": "bytes=5-14", "if-range": etag}})
		if part.Status != 206 || !bytes.Equal(part.Body, whole.Body[5:15]) || part.Header["Content-Range"] != fmt.Sprintf("bytes 5-14/%d", size) {
			t.Errorf("%s: a range is %d %s %v", path, part.Status, part.Body, part.Header)
		}
		if known := s.do(t, endpoint.Request{Method: "GET", Path: path, Header: endpoint.Header{"accept-encoding": "identity", "if-none-match": etag}}); known.Status != 304 {
			t.Errorf("%s: what is known is %d", path, known.Status)
		}
		zipped := s.do(t, endpoint.Request{Method: "GET", Path: path, Header: endpoint.Header{"accept-encoding": "gzip"}})
		if got := unzipped(t, zipped.Body); !bytes.Equal(got, whole.Body) || len(zipped.Body) > size/4 {
			t.Errorf("%s: compressed are %d bytes, of %d", path, len(zipped.Body), size)
		}
		for _, transport := range transports[2:] { // the Lambda functions
			resp := transport.Do(endpoint.Request{Method: "GET", Path: path})
			if resp.Status != 302 {
				t.Fatalf("%s: %s is answered with %d %s", transport.Name, path, resp.Status, resp.Body)
			}
			if content, _ := storetest.Download(t, resp.Header["Location"]); content != string(whole.Body) {
				t.Errorf("%s: %s is answered with %d %v", transport.Name, path, resp.Status, resp.Header)
			}
		}
	}
	file := h.object("reports/" + id[3:7] + "-" + id[7:9] + "-" + id[9:11] + "/" + id + ".json")
	report, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(report, []byte("committed"), []byte("COMMITTED"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if resp := s.get(t, "/ace/reports/"+id, ""); resp.Status != 500 || strings.Contains(string(resp.Body), "COMMITTED") {
		t.Errorf("a damaged report is answered with %d %.200s", resp.Status, resp.Body)
	}
}

func unzipped(t *testing.T, body []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestRepairFiles_SaysWhyThereAreNone(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	c.Exec(t, 1, `DELETE FROM tiny WHERE id = 1`)
	s := newHome(t, c).serve(t, nil)
	diff := s.submit(t, c, "public.tiny")
	s.completed(t, diff)
	repair := func(args string) string {
		var submitted api.Submitted
		s.read(t, "/ace/table-repair", "cluster_name="+c.Name+"&table_name=public.tiny&source_of_truth=n1&diff_file="+diff+args, &submitted)
		return submitted.TaskID
	}
	release := hold(t, c, "tiny")
	running := repair("&dry_run=true")
	for path, says := range map[string]string{
		"/ace/reports/" + diff:          "task " + diff + " is a table-diff, not a repair: it has no report",
		"/ace/before-images/" + diff:    "task " + diff + " is a table-diff, not a repair: it has no before-images",
		"/ace/reports/" + running:       "it has no report yet",
		"/ace/before-images/" + running: "it has no before-images yet",
	} {
		if resp := s.get(t, path, ""); resp.Status != 404 || !strings.Contains(string(resp.Body), says) {
			t.Errorf("%s: %d %s", path, resp.Status, resp.Body)
		}
	}
	release()
	s.end(t, running)
	for path, says := range map[string]string{
		"/ace/reports/" + running:       "has no report: only a repair with generate_report=true writes one; its before-images are at /ace/before-images/" + running,
		"/ace/before-images/" + running: "task " + running + " has not changed any row: there are no before-images",
	} {
		if resp := checkEverywhere(t, s.everywhere(t), endpoint.Request{Method: "GET", Path: path}); resp.Status != 404 || !strings.Contains(string(resp.Body), says) {
			t.Errorf("%s: %d %s", path, resp.Status, resp.Body)
		}
	}
}
