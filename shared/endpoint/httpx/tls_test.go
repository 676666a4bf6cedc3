package httpx_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"ace/shared/endpoint/httpx"
)

func TestGuarded_OverTLSAcceptsOnlyPagesOfTheSameOrigin(t *testing.T) {
	handler := httpx.Guarded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), httpx.Options{Hosts: []string{"ace.example.com"}})
	for _, tt := range []struct {
		host, origin string
		plain        bool
		status       int
	}{
		{host: "localhost:5000", origin: "https://localhost:5000", status: 200},
		{host: "localhost:5000", origin: "http://localhost:5000", status: 403},
		{host: "localhost:5000", origin: "https://localhost:5001", status: 403},
		{host: "localhost:5000", origin: "https://localhost:5000", plain: true, status: 403},
		{host: "ace.example.com", origin: "https://ace.example.com", status: 200},
		{host: "ace.example.com", origin: "http://ace.example.com", status: 403},
		{host: "ace.example.com", status: 200},
		{host: "ace.example.com", plain: true, status: 200},
	} {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Host, request.TLS = tt.host, &tls.ConnectionState{}
		if tt.plain {
			request.TLS = nil
		}
		if tt.origin != "" {
			request.Header.Set("Origin", tt.origin)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != tt.status {
			t.Errorf("%+v: status %d", tt, answer.Code)
		}
		if sts := answer.Header().Get("Strict-Transport-Security"); sts != "" {
			t.Errorf("%+v: Strict-Transport-Security is %q, which other servers of the host would have to follow", tt, sts)
		}
	}
}
