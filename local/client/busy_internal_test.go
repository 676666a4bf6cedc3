package client

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A busy server states when to try again. Each kind of request waits that long, although
// the first wait without a statement is 1 s.
func TestServer_WaitsAsLongAsABusyServerAsks(t *testing.T) {
	t.Parallel()
	const wait = 2 * time.Second
	requests := map[string]func(*testing.T, *Server) error{
		"a submission": func(t *testing.T, s *Server) error {
			_, err := s.post(t.Context(), "/ace/table-diff", nil)
			return err
		},
		"a list": func(t *testing.T, s *Server) error {
			_, err := s.get(t.Context(), "/ace/tasks", nil)
			return err
		},
		"a download": func(t *testing.T, s *Server) error {
			return s.download(t.Context(), "/ace/diffs/x", new(strings.Builder))
		},
		"a saved file": func(t *testing.T, s *Server) error {
			return s.save(t.Context(), "/ace/diffs/x", filepath.Join(t.TempDir(), "x.json"))
		},
	}
	for name, request := range requests {
		for _, busy := range []struct {
			form   string
			status int
			header func() string
		}{
			{"seconds", http.StatusServiceUnavailable, func() string { return fmt.Sprint(wait.Seconds()) }},
			// A time has a precision of seconds, so the wait may be up to a second shorter.
			{"a time", http.StatusTooManyRequests, func() string { return time.Now().Add(wait + time.Second).UTC().Format(http.TimeFormat) }},
		} {
			t.Run(name+", "+busy.form, func(t *testing.T) {
				t.Parallel()
				var calls []time.Time
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if calls = append(calls, time.Now()); len(calls) > 1 {
						fmt.Fprint(w, "{}")
						return
					}
					w.Header().Set("Retry-After", busy.header())
					w.WriteHeader(busy.status)
					fmt.Fprint(w, `{"error":"the queue is full"}`)
				}))
				t.Cleanup(server.Close)

				s, err := newServer(server.URL, "", tlsFiles{})
				if err != nil {
					t.Fatal(err)
				}
				var noted string
				s.note = func(format string, args ...any) { noted += fmt.Sprintf(format, args...) }
				if err := request(t, s); err != nil {
					t.Fatal(err)
				}
				if len(calls) != 2 || calls[1].Sub(calls[0]) < wait {
					t.Errorf("requests at %v, want two that are %s apart", calls, wait)
				}
				if !strings.Contains(noted, "the server is busy, next try in ") || !strings.HasSuffix(noted, ": the queue is full") {
					t.Errorf("noted %q", noted)
				}
			})
		}
	}
}
