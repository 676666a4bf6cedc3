//go:build !unit

package s3_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"ace/infra/testkit/minio"
	"ace/shared/archive"
	"ace/shared/archive/s3"
	"ace/shared/fault"
)

// What the proxy does with a request.
type trouble int

const (
	none       trouble = iota
	lostAnswer         // the server applies it, the client gets no response
	slowDown           // refused with 503 SlowDown
	broken             // refused with 500 InternalError
	denied             // refused with 403 AccessDenied
	expired            // refused with 400 ExpiredToken, as AWS does
	missing            // refused with 404 NoSuchKey
	conflict           // refused with 409 ConditionalRequestConflict
	silence            // accepted without a response
	held               // kept until the test releases it or the client disconnects
)

// troubledProxy sits between the store and a real server and disturbs the first matching
// requests of a method.
type troubledProxy struct {
	forward http.Handler

	mu      sync.Mutex
	method  string
	part    string // a part of the path and query of the requests to disturb
	trouble trouble
	left    int
	seen    int
	arrived chan struct{} // has a value for each held request; the requests continue when gate is closed
	gate    chan struct{}
}

func (p *troubledProxy) spoil(method, part string, with trouble, times int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.method, p.part, p.trouble, p.left, p.seen = method, part, with, times, 0
	p.arrived, p.gate = make(chan struct{}, times), make(chan struct{})
}

// hold keeps a request until the test releases it.
func (p *troubledProxy) hold(r *http.Request) {
	body, _ := io.ReadAll(r.Body) // the server notices only after this that a client disconnects
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.arrived <- struct{}{}
	select {
	case <-p.gate:
	case <-r.Context().Done():
	}
}

// requests returns the number of requests that matched since spoil.
func (p *troubledProxy) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

func (p *troubledProxy) next(r *http.Request) trouble {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Method != p.method || !strings.Contains(r.URL.String(), p.part) {
		return none
	}
	p.seen++
	if p.left == 0 {
		return none
	}
	p.left--
	return p.trouble
}

func (p *troubledProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch p.next(r) {
	case held:
		p.hold(r)
		p.forward.ServeHTTP(w, r)
	case lostAnswer:
		p.forward.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case slowDown:
		turnAway(w, r, http.StatusServiceUnavailable, "SlowDown")
	case broken:
		turnAway(w, r, http.StatusInternalServerError, "InternalError")
	case denied:
		turnAway(w, r, http.StatusForbidden, "AccessDenied")
	case expired:
		turnAway(w, r, http.StatusBadRequest, "ExpiredToken")
	case missing:
		turnAway(w, r, http.StatusNotFound, "NoSuchKey")
	case conflict:
		turnAway(w, r, http.StatusConflict, "ConditionalRequestConflict")
	case silence:
		// The server notices only after this that the client disconnects.
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	default:
		p.forward.ServeHTTP(w, r)
	}
}

func turnAway(w http.ResponseWriter, r *http.Request, status int, code string) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>on purpose</Message></Error>")
}

// startTroubled returns a store on MinIO behind a proxy, and options to reach the same
// prefix directly.
func startTroubled(t *testing.T, server *minio.Server) (*s3.Store, *troubledProxy, s3.Options) {
	t.Helper()
	opts := server.Options("ready")
	opts.Prefix = strings.ReplaceAll(t.Name(), "/", "-")
	direct := opts
	var proxy *troubledProxy
	proxy, opts.Endpoint = startProxy(t, server)
	return openStore(t, opts), proxy, direct
}

// startProxy returns a proxy in front of MinIO and its address.
func startProxy(t *testing.T, server *minio.Server) (proxy *troubledProxy, address string) {
	t.Helper()
	target, err := url.Parse(server.Options("ready").Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	proxy = &troubledProxy{forward: &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the signature includes the host
		},
	}}
	front := httptest.NewServer(proxy)
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(front.Close)
	return proxy, front.URL
}

func TestStore_RetriesAndTranslatesFailures(t *testing.T) {
	t.Parallel()
	server := minio.Start(t)
	tests := []struct {
		name string
		run  func(t *testing.T, server *minio.Server)
	}{
		{"LostCreate", lostCreateIsNotALostRace},
		{"LostReplace", lostReplaceIsNotALostRace},
		{"LostCommit", lostCommitIsNotALostRace},
		{"SlowDown", turnedAwayWriteIsRepeated},
		{"Refusals", refusals},
		{"Repeat", harmlessRequestsAreRepeated},
		{"GiveUp", repetitionEnds},
		{"Pages", listingResumes},
		{"Uploads", streamsLeaveNoUpload},
		{"HangingAbort", abortDoesNotWaitLong},
		{"OneRequest", smallStreamIsOneRequest},
		{"Checksums", everyWriteHasAChecksum},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // each has a proxy and a prefix of its own
			tt.run(t, server)
		})
	}
}

func TestStore_UsesReplacedCredentials(t *testing.T) { // not parallel: it sets the environment
	replacedCredentialsAreUsed(t, minio.Start(t))
}

func wantDoubt(t *testing.T, err error) {
	t.Helper()
	if fault.CodeOf(err) != fault.Unavailable || errors.Is(err, archive.ErrPrecondition) {
		t.Errorf("got %v, want Unavailable: the write may have happened", err)
	}
}

func lostCreateIsNotALostRace(t *testing.T, server *minio.Server) {
	for _, what := range []trouble{lostAnswer, broken} {
		store, proxy, _ := startTroubled(t, server)
		proxy.spoil(http.MethodPut, "/a", what, 1)
		_, err := store.PutIfAbsent(t.Context(), "a", "", []byte("mine"))
		wantDoubt(t, err)
		if n := proxy.requests(); n != 1 {
			t.Errorf("the create was sent %d times, want once", n)
		}
		if what == lostAnswer {
			wantBody(t, store, "a", "mine")
		}
		if err := store.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
}

func lostReplaceIsNotALostRace(t *testing.T, server *minio.Server) {
	store, proxy, _ := startTroubled(t, server)
	first, err := store.Put(t.Context(), "a", "", []byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	proxy.spoil(http.MethodPut, "/a", lostAnswer, 1)
	_, err = store.PutIfMatch(t.Context(), "a", "", []byte("second"), first.ETag)
	wantDoubt(t, err)
	wantBody(t, store, "a", "second")
}

func lostCommitIsNotALostRace(t *testing.T, server *minio.Server) {
	store, proxy, _ := startTroubled(t, server)
	w, err := store.Create(t.Context(), "a", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, s3.PartSize+1)); err != nil {
		t.Fatal(err)
	}
	proxy.spoil(http.MethodPost, "uploadId=", lostAnswer, 1)
	_, err = w.Commit(t.Context())
	wantDoubt(t, err)
	if n := proxy.requests(); n != 1 {
		t.Errorf("the commit was sent %d times, want once", n)
	}
	if info, err := store.Stat(t.Context(), "a"); err != nil || info.Size != s3.PartSize+1 {
		t.Errorf("Stat gave %+v, %v", info, err)
	}
}

func turnedAwayWriteIsRepeated(t *testing.T, server *minio.Server) {
	store, proxy, _ := startTroubled(t, server)
	for _, what := range []trouble{slowDown, denied, missing} {
		proxy.spoil(http.MethodPut, "/a", what, 2)
		info, err := store.PutIfAbsent(t.Context(), "a", "", []byte("1"))
		if err != nil {
			t.Fatal(err)
		}
		if what != missing {
			proxy.spoil(http.MethodPut, "/a", what, 2)
			if _, err := store.PutIfMatch(t.Context(), "a", "", []byte("2"), info.ETag); err != nil {
				t.Fatal(err)
			}
			wantBody(t, store, "a", "2")
		}
		if err := store.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
}

// refusals checks that a lost race is distinguished from other refusals with a similar
// status.
func refusals(t *testing.T, server *minio.Server) {
	store, proxy, _ := startTroubled(t, server)
	create := func() error {
		_, err := store.PutIfAbsent(t.Context(), "a", "", nil)
		return err
	}
	replace := func() error {
		_, err := store.PutIfMatch(t.Context(), "a", "", nil, "0123")
		return err
	}
	tests := []struct {
		name string
		call func() error
		with trouble
		lost bool
		sent int
	}{
		{"a create that conflicts", create, conflict, true, 1},
		{"a replacement that conflicts", replace, conflict, true, 1},
		{"a replacement of nothing", replace, missing, true, 1},
		{"a create that never finds its place", create, missing, false, 4},
		{"a create that is not allowed", create, denied, false, 4},
	}
	for _, tt := range tests {
		proxy.spoil(http.MethodPut, "/a", tt.with, 1000)
		err := tt.call()
		if got := errors.Is(err, archive.ErrPrecondition); got != tt.lost {
			t.Errorf("%s: got %v, lost race: %v, want %v", tt.name, err, got, tt.lost)
		}
		if !tt.lost {
			wantDoubt(t, err)
		}
		if n := proxy.requests(); n != tt.sent {
			t.Errorf("%s was sent %d times, want %d", tt.name, n, tt.sent)
		}
	}
}

func harmlessRequestsAreRepeated(t *testing.T, server *minio.Server) {
	store, proxy, _ := startTroubled(t, server)
	for _, what := range []trouble{lostAnswer, slowDown, broken} {
		proxy.spoil(http.MethodPut, "/a", what, 1)
		info, err := store.Put(t.Context(), "a", "", []byte("0123"))
		if err != nil {
			t.Fatalf("Put: %v", err)
		}
		proxy.spoil(http.MethodGet, "/a", what, 1)
		wantBody(t, store, "a", "0123")
		proxy.spoil(http.MethodGet, "/a", what, 1)
		if _, err := store.GetRange(t.Context(), "a", info.ETag, 1, 2); err != nil {
			t.Errorf("GetRange: %v", err)
		}
		proxy.spoil(http.MethodHead, "/a", what, 1)
		if _, err := store.Stat(t.Context(), "a"); err != nil {
			t.Errorf("Stat: %v", err)
		}
		proxy.spoil(http.MethodDelete, "/a", what, 1)
		if err := store.Delete(t.Context(), "a"); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
}

func repetitionEnds(t *testing.T, server *minio.Server) {
	store, proxy, _ := startTroubled(t, server)
	proxy.spoil(http.MethodGet, "/a", broken, 1000)
	_, err := store.Get(t.Context(), "a")
	if fault.CodeOf(err) != fault.Unavailable || errors.Is(err, archive.ErrNotFound) {
		t.Errorf("got %v, want Unavailable", err)
	}
	if n := proxy.requests(); n < 2 || n > 10 {
		t.Errorf("the read was sent %d times, want a few", n)
	}
	if !strings.HasSuffix(fault.PublicMessage(err), "failed to read a: InternalError: on purpose") {
		t.Errorf("the message does not say what is wrong: %s", fault.PublicMessage(err))
	}
}

// listingResumes disturbs the second page of a listing: entries of the first page must
// not be listed again.
func listingResumes(t *testing.T, server *minio.Server) {
	store, proxy, direct := startTroubled(t, server)
	fill := openStore(t, direct)
	var wg sync.WaitGroup
	const objects, writers = 1140, 10 // the first page is a small one
	for w := range writers {
		wg.Go(func() {
			for i := w; i < objects; i += writers {
				if _, err := fill.Put(t.Context(), "k"+strings.Repeat("x", i/100)+string(rune('a'+i/10%10))+string(rune('a'+i%10)), "", nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	proxy.spoil(http.MethodGet, "continuation-token", broken, 1)
	seen, last := 0, ""
	err := store.List(t.Context(), "", "", func(info archive.Info) bool {
		if info.Key <= last {
			t.Errorf("%q came after %q", info.Key, last)
		}
		seen, last = seen+1, info.Key
		return true
	})
	if err != nil || seen != objects {
		t.Errorf("listed %d objects, %v; want %d", seen, err, objects)
	}
	if proxy.requests() == 0 {
		t.Error("no second page was asked for: the test is void")
	}
}

func streamsLeaveNoUpload(t *testing.T, server *minio.Server) {
	store, proxy, direct := startTroubled(t, server)
	if _, err := store.Put(t.Context(), "taken", "", []byte("first")); err != nil {
		t.Fatal(err)
	}
	stream := func(key string) archive.Writer {
		w, err := store.Create(t.Context(), key, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, s3.PartSize+1)); err != nil {
			t.Fatal(err)
		}
		return w
	}
	stream("aborted").Abort()
	if _, err := stream("taken").Commit(t.Context()); !errors.Is(err, archive.ErrPrecondition) {
		t.Errorf("got %v, want ErrPrecondition", err)
	}
	failed := stream("failed")
	proxy.spoil(http.MethodPost, "uploadId=", broken, 1)
	if _, err := failed.Commit(t.Context()); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
	wantNoUploads(t, direct, "aborted", "taken", "failed")
}

// Abort must return soon, because a service has only 10 s to stop.
func abortDoesNotWaitLong(t *testing.T, server *minio.Server) {
	store, proxy, _ := startTroubled(t, server)
	w, err := store.Create(t.Context(), "a", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, s3.PartSize+1)); err != nil {
		t.Fatal(err)
	}
	proxy.spoil(http.MethodDelete, "uploadId=", silence, 100)
	begin := time.Now()
	w.Abort()
	if took := time.Since(begin); took > 7*time.Second || proxy.requests() == 0 {
		t.Errorf("after %d requests and %s the upload was given up, want 3 s", proxy.requests(), took)
	}
}

// wantNoUploads asks for each key, since MinIO lists the uploads of one exact key only.
func wantNoUploads(t *testing.T, opts s3.Options, keys ...string) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	core, err := miniogo.NewCore(strings.TrimPrefix(opts.Endpoint, "http://"), &miniogo.Options{
		Creds: credentials.NewStaticV4(opts.AccessKey, opts.SecretKey, ""), Region: opts.Region, Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	open := func(key string) int {
		list, err := core.ListMultipartUploads(t.Context(), opts.Bucket, opts.Prefix+"/"+key, "", "", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Uploads)
	}
	for _, key := range keys {
		if n := open(key); n != 0 {
			t.Errorf("%d uploads to %s were left open", n, key)
		}
	}
	if _, err := core.NewMultipartUpload(t.Context(), opts.Bucket, opts.Prefix+"/control", miniogo.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	if open("control") != 1 {
		t.Error("open uploads cannot be seen: the test is void")
	}
}

func smallStreamIsOneRequest(t *testing.T, server *minio.Server) {
	store, proxy, _ := startTroubled(t, server)
	for _, size := range []int{0, 1000, s3.PartSize} {
		w, err := store.Create(t.Context(), "a", "")
		if err != nil {
			t.Fatal(err)
		}
		proxy.spoil(http.MethodPut, "/a", none, 0)
		if _, err := io.Copy(w, bytes.NewReader(make([]byte, size))); err != nil {
			t.Fatal(err)
		}
		if n := proxy.requests(); n != 0 {
			t.Errorf("%d bytes: %d requests before the commit", size, n)
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := proxy.requests(); n != 1 {
			t.Errorf("%d bytes: %d requests, want one", size, n)
		}
		if err := store.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
}

func wantBody(t *testing.T, store archive.Store, key, want string) {
	t.Helper()
	obj, err := store.Get(t.Context(), key)
	if err != nil {
		t.Errorf("Get(%q): %v", key, err)
		return
	}
	defer obj.Body.Close()
	if got, err := io.ReadAll(obj.Body); err != nil || string(got) != want {
		t.Errorf("read %q, %v; want %q", got, err, want)
	}
}
