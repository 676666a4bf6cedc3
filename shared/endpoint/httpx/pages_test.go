package httpx_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"ace/shared/caller"
	"ace/shared/endpoint/httpx"
)

func TestPages_AreForThisSiteOnly(t *testing.T) {
	const token = "correct-horse"
	served := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	open := httpx.Pages(served, httpx.Options{Hosts: []string{"ace.test"}})
	closed := httpx.Pages(served, httpx.Options{Hosts: []string{"ace.test"}, Callers: caller.Single(token)})
	for _, tt := range []struct {
		name    string
		handler http.Handler
		method  string
		url     string
		header  map[string]string
		user    string // "": no password
		secret  string
		status  int
	}{
		{"an opened address", open, "GET", "http://localhost:5000/", map[string]string{"Sec-Fetch-Site": "none", "User-Agent": "Mozilla/5.0"}, "", "", 204},
		{"a name of ACE_HOSTS", open, "GET", "http://ace.test:5000/", nil, "", "", 204},
		{"another name", open, "GET", "http://evil.test:5000/", nil, "", "", 403},
		{"a frame of a foreign page", open, "GET", "http://localhost:5000/", map[string]string{"Sec-Fetch-Site": "cross-site"}, "", "", 403},
		{"a prefetch", open, "GET", "http://localhost:5000/", map[string]string{"Sec-Purpose": "prefetch"}, "", "", 403},
		{"an own form", open, "POST", "http://localhost:5000/", map[string]string{"Origin": "http://localhost:5000", "Sec-Fetch-Site": "same-origin"}, "", "", 204},
		{"an own form over plain HTTP", open, "POST", "http://ace.test:5000/", map[string]string{"Origin": "http://ace.test:5000"}, "", "", 204},
		{"a form without origin", open, "POST", "http://localhost:5000/", nil, "", "", 403},
		{"a form of an opened address", open, "POST", "http://localhost:5000/", map[string]string{"Sec-Fetch-Site": "none"}, "", "", 403},
		{"a form of another port", open, "POST", "http://localhost:5000/", map[string]string{"Origin": "http://localhost:8080"}, "", "", 403},
		{"a form of a sandboxed page", open, "POST", "http://localhost:5000/", map[string]string{"Origin": "null"}, "", "", 403},
		{"the token as password", closed, "GET", "http://localhost:5000/", nil, "any", token, 204},
		{"a user name with a colon, which changes the password", closed, "GET", "http://localhost:5000/", nil, "a:b", token, 401},
		{"a wrong password", closed, "GET", "http://localhost:5000/", nil, token, "x", 401},
		{"no password", closed, "GET", "http://localhost:5000/", nil, "", "", 401},
		{"the token", closed, "GET", "http://localhost:5000/", map[string]string{"Authorization": "Bearer " + token}, "", "", 204},
		{"a foreign form with the password", closed, "POST", "http://ace.test:5000/", map[string]string{"Origin": "http://evil.test"}, "any", token, 403},
		{"a form without origin, with the password", closed, "POST", "http://ace.test:5000/", nil, "any", token, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.url, nil)
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			if tt.user != "" {
				r.SetBasicAuth(tt.user, tt.secret)
			}
			w := httptest.NewRecorder()
			tt.handler.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.status)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); (w.Code == 401) != (challenge == `Basic realm="ace", charset="UTF-8"`) {
				t.Errorf("WWW-Authenticate is %q", challenge)
			}
		})
	}
}

// A browser sends a password for a site with every request to it, also with those that a
// foreign page causes. So the API must not accept it.
func TestHandler_DoesNotAcceptTheTokenAsAPassword(t *testing.T) {
	handler := httpx.Handler(newMux(t, io.Discard, nil), httpx.Options{Callers: caller.Single("correct-horse")})
	r := httptest.NewRequest("GET", "http://localhost:5000/ace/nothing", nil)
	r.SetBasicAuth("any", "correct-horse")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Code != 401 {
		t.Errorf("got %d, want 401", w.Code)
	}
}
