//go:build !unit

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/endpoint"
)

// A browser cannot send Authorization: Bearer for a page, so the page accepts the token
// as a password. The API does not: a browser would send it for foreign pages too.
func TestWebPage_AcceptsTheTokenAsAPasswordAndTheAPIDoesNot(t *testing.T) {
	t.Parallel()
	h := newHome(t, pgtest.NewCluster(t))
	file := filepath.Join(h.dir, "token")
	if err := os.WriteFile(file, []byte("correct-horse-battery"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := h.serve(t, settings{"ACE_TOKEN_FILE": file})
	const basic, wrong, bearer = "Basic YW55Om5vdC10aGUtdG9rZW4=", "Basic bm90LXRoZS10b2tlbg==", "Bearer correct-horse-battery"
	const password = "Basic YW55OmNvcnJlY3QtaG9yc2UtYmF0dGVyeQ=="

	for _, tt := range []struct {
		path, authorization string
		status              int
	}{
		{"/", "", 401}, {"/", basic, 401}, {"/", wrong, 401}, {"/", password, 200}, {"/", bearer, 200},
		{"/events?task=x", "", 401}, {"/tasks", password, 200},
		{"/ace/tasks", password, 401}, {"/ace/tasks", bearer, 200}, {"/metrics", password, 401},
	} {
		resp := s.do(t, endpoint.Request{Method: "GET", Path: strings.Split(tt.path, "?")[0], Header: endpoint.Header{"authorization": tt.authorization}})
		if resp.Status != tt.status {
			t.Errorf("%s with %q: got %d, want %d", tt.path, tt.authorization, resp.Status, tt.status)
		}
		scheme := map[bool]string{true: "Bearer", false: "Basic"}[strings.HasPrefix(tt.path, "/ace/") || tt.path == "/metrics"]
		if resp.Status == 401 && !strings.HasPrefix(resp.Header["Www-Authenticate"], scheme) {
			t.Errorf("%s: WWW-Authenticate is %q", tt.path, resp.Header["Www-Authenticate"])
		}
	}
}
