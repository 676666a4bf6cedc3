//go:build !unit

package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive"
)

// Each object of the archive is damaged in turn: by a disk, so that its hash is wrong, or
// by a program that replaces it together with its hash. Every answer then is the same as
// before, or reports the damage. None shows other results, and the lists still have all
// other tasks and documents. A rendering is excepted from the second: only its own hash
// protects it.
func TestServe_ADamagedObjectChangesNoAnswerSilently(t *testing.T) {
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'right' FROM generate_series(1, 100) i`)
	c.Exec(t, 1, `UPDATE t SET v = 'wrong' WHERE id % 10 = 0`)
	h := newHome(t, c)
	s := h.serve(t, settings{"ACE_REQUEST_LOG": "none"})
	ids, addresses := worked(t, s, c)

	before := map[string]string{}
	for _, address := range addresses {
		status, body, err := s.fetch(t, address)
		if status != 200 || err != nil {
			t.Fatalf("%s: %d %s %v", address, status, body, err)
		}
		before[address] = withoutTimes(body)
	}

	objects, reported := h.keys(t, ""), 0
	for _, key := range objects {
		for name, damage := range map[string]func(t *testing.T, path string){
			"truncated": truncate, "with 2 MiB appended": lengthen, "emptied": h.replaceBy(""), "no members": h.replaceBy("{}"), "not JSON": h.replaceBy("x"),
		} {
			if isRendering(key) && name != "truncated" && name != "with 2 MiB appended" {
				continue
			}
			restore := keep(t, h.object(key), filepath.Join(h.data(), "sums", key))
			damage(t, h.object(key))
			for _, address := range addresses {
				status, body, err := s.fetch(t, address)
				got := withoutTimes(body)
				switch {
				case status == 200 && err == nil && got == before[address]:
				case status == 200 && (err != nil || namesDamage(t, address, body, ids)),
					status != 200 && !isList(address) && (strings.Contains(got, "damaged") || strings.Contains(got, key)):
					reported++
				default:
					t.Errorf("%s %s: %s answers %d %s\nbefore: %s\n%v", key, name, address, status, got, before[address], err)
				}
			}
			for _, page := range []string{"/", "/tasks", "/archive"} {
				if status, body, err := s.fetch(t, page); status != 200 || err != nil {
					t.Errorf("%s %s: the page %s answers %d %.300s %v", key, name, page, status, body, err)
				}
			}
			restore()
		}
	}
	if reported < len(objects) {
		t.Errorf("of %d objects, only %d answers report the damage", len(objects), reported)
	}
	if strings.Contains(s.output.String(), "panic") {
		t.Errorf("the log has a panic: %s", s.output)
	}
}

// worked runs a comparison, a repair and its undo. It returns their ids and the addresses
// of everything that can be asked about them.
func worked(t *testing.T, s *service, c *pgtest.Cluster) (ids, addresses []string) {
	t.Helper()
	diff := s.submit(t, c, "public.t")
	document := s.completed(t, diff).DiffFile
	var submitted api.Submitted
	s.read(t, "/ace/table-repair", url.Values{"cluster_name": {c.Name}, "table_name": {"public.t"}, "diff_file": {document},
		"source_of_truth": {"n1"}, "generate_report": {"true"}}.Encode(), &submitted)
	repair := submitted.TaskID
	s.repaired(t, repair)
	s.read(t, "/ace/table-undo", "task_id="+repair, &submitted)
	undo := submitted.TaskID
	s.repaired(t, undo)
	s.home.cleared(t)

	ids = []string{diff, repair, undo}
	for _, id := range ids {
		addresses = append(addresses, "/ace/task-status/"+id)
	}
	return ids, append(addresses, "/ace/tasks", "/ace/diffs", "/ace/diffs?cluster_name="+c.Name, "/ace/audit", "/ace/tables?cluster_name="+c.Name,
		"/ace/diffs/"+diff, "/ace/diffs/"+diff+"?format=html", "/ace/diffs/"+diff+"?format=csv", "/ace/reports/"+repair, "/ace/before-images/"+repair)
}

// cleared waits until the tasks that have ended are in all lists.
func (h home) cleared(t *testing.T) {
	t.Helper()
	eventually(t, taskTimeout, "the tasks are cleared", func() bool { return len(h.keys(t, archive.OpenPrefix)) == 0 })
}

// fetch returns the answer to a GET. The error means that the answer ended too early:
// the service has found that the object is damaged.
func (s *service) fetch(t *testing.T, address string) (status int, body []byte, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.host+address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

func isRendering(key string) bool {
	return strings.HasSuffix(key, ".html") || strings.HasSuffix(key, ".csv")
}

func isList(address string) bool {
	path, _, _ := strings.Cut(address, "?")
	return path == "/ace/tasks" || path == "/ace/diffs" || path == "/ace/audit"
}

// namesDamage reports whether a list names one of its entries as unreadable, and has all
// others.
func namesDamage(t *testing.T, address string, body []byte, ids []string) bool {
	t.Helper()
	var list struct {
		Tasks      []api.TaskStatus
		Diffs      []api.ArchivedDiff
		Unreadable []api.UnreadableTask
		Entries    []struct{ Outcome string }
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return false
	}
	unreadable := len(list.Unreadable)
	for _, e := range list.Entries {
		if e.Outcome == "unreadable" {
			unreadable++
		}
	}
	wanted := map[string]int{"/ace/tasks": len(ids) - 1, "/ace/audit": len(ids)}
	path, _, _ := strings.Cut(address, "?")
	return unreadable == 1 && len(list.Tasks)+len(list.Diffs)+len(list.Entries) == wanted[path] // there is only one document
}

var dates = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z`)

// withoutTimes returns an answer without the times at which it was made.
func withoutTimes(body []byte) string { return dates.ReplaceAllString(string(body), "TIME") }

// keep reads files and returns a function that writes them again.
func keep(t *testing.T, paths ...string) (restore func()) {
	t.Helper()
	contents := map[string][]byte{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		contents[path] = content
	}
	return func() {
		for path, content := range contents {
			replace(t, path, content)
		}
	}
}

// replace replaces a file as the service does: an open one does not change.
func replace(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, path, content[:len(content)/2])
}

// lengthen makes an object so long that the store finds the damage only at its end.
func lengthen(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, path, append(content, bytes.Repeat([]byte(" "), 2<<20)...))
}

// replaceBy returns a function that replaces an object and its hash.
func (h home) replaceBy(content string) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		rel, err := filepath.Rel(filepath.Join(h.data(), "files"), path)
		if err != nil {
			t.Fatal(err)
		}
		sums := filepath.Join(h.data(), "sums", rel)
		recorded, err := os.ReadFile(sums)
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256([]byte(content))
		old := regexp.MustCompile(`(?m)^[0-9a-f]{64}`).Find(recorded)
		replace(t, sums, bytes.Replace(recorded, old, []byte(hex.EncodeToString(hash[:])), 1))
		replace(t, path, []byte(content))
	}
}

// The commands and the web page name the task whose record is damaged. `ace reindex`
// leaves it as it is and lists the others.
func TestTasks_ADamagedRecordIsNamedOnTheCommandLineAndThePage(t *testing.T) {
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	h := newHome(t, c)
	s := h.serve(t, nil)
	damaged, whole := s.submit(t, c, "public.t"), s.submit(t, c, "public.t")
	s.completed(t, damaged)
	s.completed(t, whole)
	h.cleared(t)
	first, second := h.object("tasks/"+damaged+"/task.json"), ""
	for _, key := range h.keys(t, "") {
		if strings.Contains(key, "index/diffs/") && strings.HasSuffix(key, damaged) {
			second = key
			truncate(t, h.object(key))
		}
	}
	if second == "" {
		t.Fatal("the document has no entry in the list")
	}
	truncate(t, first)

	cli := shell{dir: h.dir, env: []string{"ACE_SERVER=http://" + s.host}}
	for _, command := range []string{"tasks", "diffs"} {
		stdout, stderr, status := cli.ace(t, command)
		if status != 0 || !strings.Contains(stdout, whole) || strings.Contains(stdout, damaged+" ") ||
			!strings.Contains(stderr, "Task "+damaged+" is not shown: ") || !strings.Contains(stderr, "is damaged") {
			t.Errorf("ace %s: %d\n%s\n%s", command, status, stdout, stderr)
		}
	}
	for _, page := range []string{"/tasks", "/archive"} {
		if _, body, err := s.fetch(t, page); err != nil || !strings.Contains(string(body), `<code>`+damaged+`</code> cannot be shown: `) || !strings.Contains(string(body), whole) {
			t.Errorf("%s: %s %v", page, body, err)
		}
	}

	s.terminate(t, startTimeout)
	code, text := run(t, h.dir, nil, "reindex")
	if code != 0 || !strings.Contains(text, "1 tasks and 1 documents are listed, 0 documents that are gone were taken off the list\n") ||
		!strings.Contains(text, "task "+damaged+" was skipped: ") {
		t.Errorf("ace reindex: %d %s", code, text)
	}
}
