//go:build !unit

package page_test

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ace/shared/api"
)

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// token returns the token of the forms of a page.
func (s *site) token(t testing.TB) string {
	t.Helper()
	_, _, body := s.get(t, "/compare")
	found := csrfField.FindStringSubmatch(body)
	if found == nil {
		t.Fatal("the page has no token")
	}
	return found[1]
}

// taskIDs returns the ids of all tasks.
func (s *site) taskIDs(t testing.TB) (ids []string) {
	t.Helper()
	var list api.TaskList
	s.Get(t, "/ace/tasks", url.Values{"limit": {"1000"}}, &list)
	for _, task := range list.Tasks {
		ids = append(ids, task.TaskID)
	}
	return ids
}

// forms checks that no request but a form of a page of this service changes anything.
func forms(t *testing.T, s *site, id string) {
	token, before := s.token(t), s.taskIDs(t)
	valid := url.Values{"csrf": {token}, "cluster_name": {"demo"}, "table_name": {"public.orders"}}
	own := map[string]string{"Origin": s.url}
	for _, tt := range []struct {
		name, method, path string
		form               url.Values
		header             map[string]string
		status             int
	}{
		{"no token", "POST", "/compare", url.Values{"cluster_name": {"demo"}, "table_name": {"public.orders"}}, own, 403},
		{"a wrong token", "POST", "/compare", url.Values{"csrf": {token + "x"}, "cluster_name": {"demo"}, "table_name": {"public.orders"}}, own, 403},
		{"a token in the query string", "POST", "/compare?csrf=" + token, url.Values{"cluster_name": {"demo"}, "table_name": {"public.orders"}}, own, 403},
		{"no origin", "POST", "/compare", valid, nil, 403},
		{"a foreign origin", "POST", "/compare", valid, map[string]string{"Origin": "http://evil.example"}, 403},
		{"a foreign site", "POST", "/compare", valid, map[string]string{"Origin": s.url, "Sec-Fetch-Site": "cross-site"}, 403},
		{"another host", "GET", "/", nil, map[string]string{"Origin": "null"}, 403},
		{"GET", "GET", "/compare?" + valid.Encode(), nil, own, 200},
		{"GET of an action", "GET", "/tasks/" + id + "/rerun", nil, own, 404},
		{"a repair without a source", "POST", "/tasks/" + id + "/repair", valid, own, 400},
		{"a confirmation of a comparison", "POST", "/tasks/" + id + "/confirm", valid, own, 409},
		{"an undo of a comparison", "POST", "/tasks/" + id + "/undo", valid, own, 400},
		{"a refused comparison", "POST", "/compare", url.Values{"csrf": {token}, "cluster_name": {"demo"}, "table_name": {"x"}, "block_rows": {"-1"}}, own, 400},
	} {
		status, _, body := s.do(t, tt.method, tt.path, tt.form.Encode(), tt.header)
		if status != tt.status {
			t.Errorf("%s: got %d %s, want %d", tt.name, status, body, tt.status)
		}
		if tt.name == "a refused comparison" && (!strings.Contains(body, "block_rows is") || !strings.Contains(body, `value="-1"`)) {
			t.Errorf("the refused form is shown without its problem or its values: %s", body)
		}
	}
	if after := s.taskIDs(t); !slices.Equal(after, before) {
		t.Errorf("tasks %v were started", after)
	}

	confirmation(t, s, id, token)
}

// confirmation checks that a repair needs the statement of its own dry run.
func confirmation(t *testing.T, s *site, id, token string) {
	own := map[string]string{"Origin": s.url}
	repair := url.Values{"csrf": {token}, "source_of_truth": {"n1"}, "dry_run": {"false"}}
	status, header, body := s.do(t, "POST", "/tasks/"+id+"/repair", repair.Encode(), own)
	if status != 303 {
		t.Fatalf("a dry run is answered with %d %s", status, body)
	}
	page := header.Get("Location")
	dry := s.Wait(t, strings.TrimPrefix(page, "/tasks/"))
	if !strings.Contains(string(dry.Result), `"dry_run":true`) {
		t.Fatalf("the repair is no dry run: %s", dry.Result)
	}

	before := s.taskIDs(t)
	for _, statement := range []string{"", "change 4 rows of public.customers on n3"} {
		form := url.Values{"csrf": {token}, "confirmed": {statement}}
		if status, _, body := s.do(t, "POST", page+"/confirm", form.Encode(), own); status != 400 || !strings.Contains(body, "change 4 rows of public.customers on n2") {
			t.Errorf("the confirmation %q is answered with %d %s", statement, status, body)
		}
	}
	if after := s.taskIDs(t); !slices.Equal(after, before) {
		t.Errorf("tasks %v were started", after)
	}
}
