package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	"sync"
	"testing"
)

// The self-test of the limit: a server that leaks a few hundred bytes per task is found,
// and one that fills a cache is not.
func TestGrowth_FindsALeakOfAFewHundredBytesPerTask(t *testing.T) {
	const tasks = 300
	for _, tt := range []struct {
		name   string
		bytes  int // that the server keeps per task
		stop   int // the number of tasks after which it keeps no more
		leaked bool
	}{
		{"no leak", 0, 0, false},
		{"a leak", 400, 1 << 30, true},
		{"a cache", 4000, 2 * tasks, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var mu sync.Mutex
			kept := [][]byte{}
			mux := http.NewServeMux()
			mux.HandleFunc("/debug/pprof/", pprof.Index)
			mux.HandleFunc("/task", func(http.ResponseWriter, *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if len(kept) < tt.stop {
					kept = append(kept, make([]byte, tt.bytes))
				}
			})
			server := httptest.NewServer(mux)
			defer server.Close()
			s := &service{pprof: server.URL, http: server.Client()}

			perTask, err := growthPerTask(t.Context(), tasks, s.heap, func(ctx context.Context) error {
				for range tasks {
					if _, err := s.request(ctx, server.URL+"/task"); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if problem := leak(perTask, tasks); (problem != "") != tt.leaked {
				t.Errorf("%v bytes per task in the rounds: %q", perTask, problem)
			}
			mu.Lock()
			defer mu.Unlock()
			t.Logf("%d kept, %v bytes per task", len(kept), perTask)
		})
	}
}
