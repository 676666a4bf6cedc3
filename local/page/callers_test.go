//go:build !unit

package page_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/caller"
)

// visit sends a request with a token as the password and returns the status and the page.
func (s *site) visit(t *testing.T, token, method, path string, form url.Values) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("any", token)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", s.url)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
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

func TestPage_ShowsAndDoesOnlyWhatTheCallerMay(t *testing.T) {
	c := pgtest.NewCluster(t)
	c.ExecAll(t, "CREATE TABLE public.items (id int PRIMARY KEY, v text)")
	c.Exec(t, 0, "INSERT INTO public.items VALUES (1, 'x')")
	entry := func(name, cluster string, rights ...api.Right) caller.Entry {
		return caller.Entry{
			Caller: caller.Caller{Name: name, Rights: rights, Clusters: []string{cluster}}, Tokens: []caller.Hash{caller.HashOf(name + "-token")},
		}
	}
	s := newSiteWith(t, c, "", apptest.Options{Callers: caller.NewTokens(
		entry("reader", c.Name, api.RightRead), entry("dba", "*", api.Rights()...), entry("other", "other", api.Rights()...), entry("ci", "*", api.RightCompare))})
	id := s.Diff(t, "public.items").TaskID
	task := "/tasks/" + id

	_, page := s.visit(t, "dba-token", "GET", task, nil)
	_, rest, _ := strings.Cut(page, `name="csrf" value="`)
	csrf, _, found := strings.Cut(rest, `"`)
	if !found || !strings.Contains(page, task+"/repair") || !strings.Contains(page, `href="/compare"`) {
		t.Fatalf("the page of the operator lacks a form: %.500s", page)
	}

	status, page := s.visit(t, "reader-token", "GET", task, nil)
	if status != 200 || strings.Contains(page, task+"/repair") || strings.Contains(page, task+"/rerun") || strings.Contains(page, `href="/compare"`) || !strings.Contains(page, "Requested by") {
		t.Errorf("the page of a reader: %d %s", status, page)
	}
	for path, form := range map[string]url.Values{
		task + "/repair": {"csrf": {csrf}, "source_of_truth": {"n1"}},
		task + "/rerun":  {"csrf": {csrf}},
		"/compare":       {"csrf": {csrf}, "cluster_name": {c.Name}, "table_name": {"public.items"}},
	} {
		if status, page := s.visit(t, "reader-token", "POST", path, form); status != 403 || !strings.Contains(page, "does not have the right") {
			t.Errorf("POST %s of a reader: %d %.300s", path, status, page)
		}
	}
	for path, want := range map[string]int{task: 404, "/events?task=" + id: 404, task + "/document": 404} {
		if status, _ := s.visit(t, "other-token", "GET", path, nil); status != want {
			t.Errorf("%s of a caller of another cluster: %d", path, status)
		}
	}
	if status, page := s.visit(t, "other-token", "GET", "/", nil); status != 200 || strings.Contains(page, "public.items") || strings.Contains(page, c.Name) {
		t.Errorf("the overview of a caller of another cluster: %d %s", status, page)
	}
	if status, _ := s.visit(t, "ci-token", "GET", "/", nil); status != 403 {
		t.Errorf("the overview of a caller that may not read: %d", status)
	}
	if status, _ := s.visit(t, "wrong", "GET", "/", nil); status != 401 {
		t.Errorf("the overview with a wrong token: %d", status)
	}
	if status, page := s.visit(t, "dba-token", "GET", "/", nil); status != 200 || !strings.Contains(page, c.Name) {
		t.Errorf("the overview of the operator: %d", status)
	}
}
