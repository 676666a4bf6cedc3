//go:build !unit

package main_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"ace/infra/testkit/minio"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive/s3"
)

// stalling is a proxy of a store. Once stalled it accepts requests and answers none.
func stalling(t *testing.T, o s3.Options) (endpoint string, stall func(), waiting func() int64) {
	t.Helper()
	target, err := url.Parse(o.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var stalled atomic.Bool
	var requests atomic.Int64
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // the Host header stays, because it is signed
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !stalled.Load() {
			proxy.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body) // the server notices only after this that the client disconnects
		requests.Add(1)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	return server.URL, func() { stalled.Store(true) }, requests.Load
}

func TestServe_StopsInTimeAlthoughItsStoreHangs(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	options := minio.Start(t).Options("archive")
	if err := s3.EnsureBucket(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	endpoint, stall, waiting := stalling(t, options)
	s := newHome(t, c).serve(t, onBucket(options, endpoint))
	defer hold(t, c, "tiny")()
	id := s.submit(t, c, "public.tiny")
	eventually(t, startTimeout, "the task runs", func() bool { return s.status(t, id).Status == api.StatusRunning })
	stall()
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if resp, err := s.client.Get("http://" + s.host + "/ace/task-status/" + id); err == nil {
			_ = resp.Body.Close()
		}
	}()
	// One request is for the status that a client waits for. The others are those of the
	// task, which checks whether its cancellation was requested.
	eventually(t, startTimeout, "requests hang", func() bool { return waiting() >= 2 })
	code, took := s.terminate(t, 20*time.Second)
	if code != 0 || took > 10*time.Second {
		t.Errorf("exit code %d after %s, want 0 within 10 s", code, took)
	}
	t.Logf("the service ended %s after SIGTERM", took)
	<-asked
}

// A node that has fallen silent in the middle of a comparison does not delay the end of
// the service.
func TestServe_StopsInTimeAlthoughANodeIsSilent(t *testing.T) {
	t.Parallel()
	for _, how := range []pgtest.Silence{pgtest.Frozen, pgtest.Unreachable} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			tiny(t, c)
			var silent []<-chan struct{}
			for i := range c.Nodes {
				proxy := pgtest.NewProxy(t, c.Nodes[i])
				t.Cleanup(proxy.Resume)
				silent = append(silent, proxy.SilenceAt("hash_record_extended", how))
				c.Nodes[i].Port = proxy.Port()
			}
			s := newHome(t, c).serve(t, nil)
			s.submit(t, c, "public.tiny")
			for _, fired := range silent {
				<-fired
			}

			code, took := s.terminate(t, 20*time.Second)
			if code != 0 || took > 10*time.Second {
				t.Errorf("exit code %d after %s, want 0 within 10 s", code, took)
			}
			t.Logf("the service ended %s after SIGTERM", took)
		})
	}
}
