package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// front is a proxy before MinIO that disturbs requests while a fault of the store
// happens.
type front struct {
	listener net.Listener
	server   *http.Server
	next     *httputil.ReverseProxy

	mu     sync.Mutex
	active map[*disturbance]bool
}

// disturbance is a fault of the store that happens now.
type disturbance struct {
	mode frontMode
	size int64
}

// frontMode is what a fault of the store does to a request. It returns true if it has
// answered the request.
type frontMode struct {
	name   string
	handle func(f *front, d *disturbance, w http.ResponseWriter, r *http.Request) bool
}

// frontModes returns all faults of the store.
func frontModes() []frontMode {
	return []frontMode{
		{"down", func(_ *front, _ *disturbance, w http.ResponseWriter, _ *http.Request) bool { return hangUp(w) }},
		{"slow", func(_ *front, d *disturbance, _ http.ResponseWriter, r *http.Request) bool {
			pause(r.Context(), time.Duration(50+d.size%500)*time.Millisecond)
			return false
		}},
		{"503 SlowDown", func(_ *front, _ *disturbance, w http.ResponseWriter, _ *http.Request) bool {
			return rand.IntN(3) > 0 && refuse(w, http.StatusServiceUnavailable, "SlowDown")
		}},
		{"error after an applied write", func(f *front, _ *disturbance, w http.ResponseWriter, r *http.Request) bool {
			return writes(r) && f.discard(r) && refuse(w, http.StatusInternalServerError, "InternalError")
		}},
		{"connection lost after an applied write", func(f *front, _ *disturbance, w http.ResponseWriter, r *http.Request) bool {
			return writes(r) && f.discard(r) && hangUp(w)
		}},
		{"read-only", func(_ *front, _ *disturbance, w http.ResponseWriter, r *http.Request) bool {
			return writes(r) && refuse(w, http.StatusForbidden, "AccessDenied")
		}},
		{"disk full", func(_ *front, _ *disturbance, w http.ResponseWriter, r *http.Request) bool {
			return r.Method != http.MethodDelete && writes(r) && refuse(w, http.StatusInsufficientStorage, "XMinioStorageFull")
		}},
		{"clock jumps", func(f *front, d *disturbance, w http.ResponseWriter, r *http.Request) bool {
			jump := time.Duration(d.size%7200-3600) * time.Second
			f.next.ServeHTTP(&datedWriter{ResponseWriter: w, jump: jump}, r)
			return true
		}},
		{"silent", func(_ *front, _ *disturbance, w http.ResponseWriter, r *http.Request) bool {
			pause(r.Context(), time.Second)
			return hangUp(w)
		}},
	}
}

func startFront(endpoint string) (*front, error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	f := &front{active: map[*disturbance]bool{}, next: &httputil.ReverseProxy{
		Transport: &http.Transport{MaxIdleConnsPerHost: 32},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the signature of the request covers the host
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}}
	if f.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil { //nolint:noctx // returns at once
		return nil, err
	}
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	go func() { _ = f.server.Serve(f.listener) }() // ends with close
	return f, nil
}

func (f *front) endpoint() string { return "http://" + f.listener.Addr().String() }

func (f *front) close() error { return f.server.Close() }

// disturb begins a fault and returns the function that ends it.
func (f *front) disturb(mode frontMode, of fault) func(context.Context) error {
	d := &disturbance{mode: mode, size: of.size}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active[d] = true
	return func(context.Context) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.active, d)
		return nil
	}
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	active := make([]*disturbance, 0, len(f.active))
	for d := range f.active {
		active = append(active, d)
	}
	f.mu.Unlock()
	for _, d := range active {
		if d.mode.handle(f, d, w, r) {
			return
		}
	}
	f.next.ServeHTTP(w, r)
}

func writes(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

// discard executes a request and throws the answer away.
func (f *front) discard(r *http.Request) bool {
	f.next.ServeHTTP(&noAnswer{header: http.Header{}}, r.WithContext(context.WithoutCancel(r.Context())))
	return true
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) bool {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http closes the connection then
	}
	conn.Close()
	return true
}

// refuse answers with an error of S3.
func refuse(w http.ResponseWriter, status int, code string) bool {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>injected</Message></Error>`, code)
	return true
}

// noAnswer discards an answer.
type noAnswer struct{ header http.Header }

func (n *noAnswer) Header() http.Header         { return n.header }
func (n *noAnswer) WriteHeader(int)             {}
func (n *noAnswer) Write(p []byte) (int, error) { return io.Discard.Write(p) }

// datedWriter moves the Date of an answer, as a store does whose clock is wrong.
type datedWriter struct {
	http.ResponseWriter
	jump time.Duration
}

func (d *datedWriter) WriteHeader(status int) {
	d.Header().Set("Date", time.Now().Add(d.jump).UTC().Format(http.TimeFormat))
	d.ResponseWriter.WriteHeader(status)
}
