package main

import (
	"context"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"ace/shared/config"
	"ace/shared/endpoint/httpx"
)

// servePprof serves Go's profiles on a separate address until the context ends, to the
// callers that may read all clusters. It does nothing if no such address is configured.
func (s *service) servePprof(ctx context.Context, l config.Listen, background *sync.WaitGroup) error {
	if l.Network == "" {
		return nil
	}
	listener, err := listen(ctx, l, "ACE_PPROF")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	server := &http.Server{Handler: httpx.Guarded(mux, s.guard), ReadHeaderTimeout: 5 * time.Second}
	s.log.InfoContext(ctx, "serving profiles", "address", listener.Addr().String())
	background.Go(func() { _ = server.Serve(listener) })
	background.Go(func() {
		<-ctx.Done()
		_ = server.Close()
	})
	return nil
}
