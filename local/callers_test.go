//go:build !unit

package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/caller"
)

// tokens are callers with their tokens, and the directory of the callers file.
type tokens struct {
	path  string
	token map[string]string
}

// write writes a callers file.
func (k *tokens) write(t testing.TB, callers ...caller.Caller) {
	t.Helper()
	text := "callers:\n"
	for _, c := range callers {
		if k.token[c.Name] == "" {
			k.token[c.Name] = caller.NewToken()
		}
		text += caller.Line(c, k.token[c.Name]) + "\n"
	}
	if len(callers) == 0 {
		text = "callers: []\n"
	}
	if err := os.WriteFile(k.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// call sends a request with the token of a caller and returns the status and the body.
func (k *tokens) call(t testing.TB, s *service, name, path string) (int, string) {
	t.Helper()
	return k.send(t, s.client, "http://"+s.host+path, func(r *http.Request) {
		if name != "" {
			r.Header.Set("Authorization", "Bearer "+k.token[name])
		}
	})
}

func (k *tokens) send(t testing.TB, client *http.Client, address string, prepare func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	prepare(r)
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func rights(name, cluster string, of ...api.Right) caller.Caller {
	return caller.Caller{Name: name, Rights: of, Clusters: []string{cluster}}
}

func TestCallers_EachMayDoWhatTheFileSays(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	h := newHome(t, c)
	k := &tokens{filepath.Join(h.dir, "callers.yaml"), map[string]string{"wrong": "ace_wrong"}}
	k.write(t, rights("reader", c.Name, "read"), rights("ci", "*", "compare"), rights("other", "other", api.Rights()...), rights("dba", "*", api.Rights()...))
	s := h.serve(t, settings{"ACE_CALLERS": "callers.yaml"})

	diff := "/ace/table-diff?" + diffQuery(c, "public.tiny")
	for _, tt := range []struct {
		caller, path string
		status       int
		says         string
	}{
		{"", diff, 401, "a valid token is required"},
		{"wrong", diff, 401, "a valid token is required"},
		{"reader", diff, 403, "the caller reader does not have the right compare"},
		{"other", diff, 403, "the caller other may not use the cluster " + c.Name},
		{"ci", "/ace/tasks", 403, "the caller ci does not have the right read"},
		{"reader", "/ace/tasks", 200, `"tasks"`},
		{"reader", "/ace/clusters", 200, c.Name},
		{"other", "/ace/clusters", 200, `"clusters":[]`},
		{"reader", "/metrics", 403, "may not use all clusters"},
		{"dba", "/metrics", 200, "ace_"},
		{"", "/healthz", 200, "ok"},
	} {
		status, body := k.call(t, s, tt.caller, tt.path)
		if status != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%s of %q: status %d %.300s, want %d %s", tt.path, tt.caller, status, body, tt.status, tt.says)
		}
	}

	status, body := k.call(t, s, "ci", diff)
	var submitted api.Submitted
	if err := json.Unmarshal([]byte(body), &submitted); err != nil || status != 200 {
		t.Fatalf("status %d %s, %v", status, body, err)
	}
	if status, body := k.call(t, s, "ci", "/ace/task-status/"+submitted.TaskID); status != 200 || !strings.Contains(body, `"requested_by":{"caller":"ci","from":"127.0.0.1","via":"http","user_agent":"Go-http-client/1.1","audit":"`) {
		t.Errorf("its own task: %d %s", status, body)
	}
	if status, body := k.call(t, s, "other", "/ace/task-status/"+submitted.TaskID); status != 404 || !strings.Contains(body, "does not exist") {
		t.Errorf("the task of another cluster: %d %s", status, body)
	}
	if status, body := k.call(t, s, "dba", "/tasks"); status != 200 || !strings.Contains(body, submitted.TaskID) {
		t.Errorf("the page: %d %.200s", status, body)
	}

	if status, body := k.call(t, s, "ci", "/tasks"); status != 403 || !strings.Contains(body, "does not have the right read") {
		t.Errorf("the page of a caller that may not read: %d %.200s", status, body)
	}

	_, body = k.call(t, s, "dba", "/ace/audit")
	var list api.AuditList
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, e := range list.Entries {
		seen = append(seen, e.Outcome+" "+e.Action+" "+e.RequestedBy.Caller)
	}
	slices.Sort(seen)
	want := []string{
		"accepted table-diff ci", "refused authenticate ", "refused metrics reader", "refused page ci", "refused table-diff other", "refused table-diff reader", "refused tasks ci",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("the audit log has %q, want %q", seen, want)
	}
	if _, body := k.call(t, s, "other", "/ace/audit"); strings.Contains(body, c.Name) || strings.Contains(body, "reader") {
		t.Errorf("a caller of another cluster reads %s", body)
	}
	if want := `"msg":"request","caller":"reader","from":"127.0.0.1","via":"http","method":"GET","route":"/ace/table-diff","status":403`; !strings.Contains(s.output.String(), want) {
		t.Error("the refused request is not in the log")
	}

	for name, token := range k.token { // no token is stored or logged
		if strings.Contains(s.output.String(), token) {
			t.Errorf("the log has the token of %s", name)
		}
		if out, err := exec.CommandContext(t.Context(), "grep", "-rlF", token, h.data()).CombinedOutput(); err == nil {
			t.Errorf("the archive has the token of %s: %s", name, out)
		}
	}
}

func TestCallers_AreReadAgainAfterSIGHUP(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	h := newHome(t, c)
	k := &tokens{filepath.Join(h.dir, "callers.yaml"), map[string]string{}}
	k.write(t, rights("ci", "*", "compare"), rights("dba", "*", api.Rights()...))
	s := h.serve(t, settings{"ACE_CALLERS": "callers.yaml"})

	defer hold(t, c, "tiny")() // a task continues although its caller is removed
	_, body := k.call(t, s, "ci", "/ace/table-diff?"+diffQuery(c, "public.tiny"))
	var submitted api.Submitted
	if err := json.Unmarshal([]byte(body), &submitted); err != nil || submitted.TaskID == "" {
		t.Fatalf("%s, %v", body, err)
	}
	running := func() bool {
		_, body := k.call(t, s, "dba", "/ace/task-status/"+submitted.TaskID)
		return strings.Contains(body, api.StatusRunning)
	}
	eventually(t, startTimeout, "the task runs", running)

	if err := os.WriteFile(k.path, []byte("callers: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	s.hangUp(t)
	eventually(t, startTimeout, "the mistake is logged", func() bool {
		return strings.Contains(s.output.String(), "callers not reloaded; the previous ones are still used")
	})
	if status, _ := k.call(t, s, "ci", "/ace/task-status/"+submitted.TaskID); status != 200 {
		t.Errorf("after a broken file: status %d", status)
	}

	k.write(t, rights("new", "*", "read"), rights("dba", "*", "read"))
	s.hangUp(t)
	eventually(t, startTimeout, "the new caller is known", func() bool { status, _ := k.call(t, s, "new", "/ace/tasks"); return status == 200 })
	if status, _ := k.call(t, s, "ci", "/ace/task-status/"+submitted.TaskID); status != 401 {
		t.Errorf("a removed caller: status %d", status)
	}
	if status, _ := k.call(t, s, "dba", "/ace/task-cancel/"+submitted.TaskID); status != 403 {
		t.Errorf("a caller that lost its right: status %d", status)
	}
	if !running() {
		t.Error("the task does not run any more")
	}
}

func TestSocket_TheTaskNamesTheUserOfItsClient(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	h := newHome(t, c)
	socket := filepath.Join(h.dir, "ace.sock")
	s := h.serve(t, settings{"ACE_LISTEN": "unix://" + socket})
	id := s.submit(t, c, "public.tiny")
	by := s.status(t, id).RequestedBy
	if want := "uid " + strconv.Itoa(os.Getuid()); by == nil || by.Caller != "anonymous" || by.From != want || by.Via != "http" {
		t.Errorf("the task was requested by %+v, want %s", by, want)
	}
}

func TestCallersToken_PrintsATokenThatItsLineAccepts(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), binary, "callers", "token", "ci", "--rights", "read,compare", "--clusters", "demo")
	var line strings.Builder
	command.Stderr = &line
	token, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(line.String(), "\n\n")
	rest, _, _ = strings.Cut(rest, "\n")
	entries, err := caller.Parse("f", []byte("callers:\n"+rest+"\n"))
	if err != nil {
		t.Fatalf("%s: %v", line.String(), err)
	}
	got, ok := caller.NewTokens(entries...).Find(strings.TrimSpace(string(token)))
	if !ok || got.Name != "ci" || !got.May(api.RightCompare) || got.May(api.RightRepair) || !got.Sees("demo") || got.SeesAll() {
		t.Errorf("%s accepts %+v", line.String(), got)
	}
}
