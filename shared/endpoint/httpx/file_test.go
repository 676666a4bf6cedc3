package httpx_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ace/shared/api"
	"ace/shared/endpoint/httpx"
	"ace/shared/fault"
)

const diffPath = "http://localhost:5000/ace/diffs/td_20240315_123456"

// content is a file in memory that records its Close and can fail to be read.
type content struct {
	*strings.Reader
	err    error // of a read after good bytes; nil if none fails
	good   int
	closed bool
}

func (c *content) Close() error {
	c.closed = true
	return nil
}

func (c *content) Read(p []byte) (int, error) {
	if c.err != nil {
		if c.good == 0 {
			return 0, c.err
		}
		p = p[:min(len(p), c.good)]
		c.good -= len(p)
	}
	return c.Reader.Read(p)
}

func fileOf(c *content) *api.File {
	return &api.File{
		ContentType: "application/json",
		Name:        "td_20240315_123456.json",
		ETag:        "v1",
		Size:        c.Size(),
		ModTime:     time.Date(2024, 3, 15, 12, 34, 56, 0, time.UTC),
		Open:        func(context.Context) (io.ReadSeekCloser, error) { return c, nil },
	}
}

func TestFile_SupportsRangesAndConditions(t *testing.T) {
	tests := []struct {
		name   string
		method string
		header map[string]string
		status int
		body   string
	}{
		{"whole", "GET", nil, 200, "0123456789"},
		{"POST", "POST", nil, 200, "0123456789"},
		{"HEAD", "HEAD", nil, 200, ""},
		{"a range", "GET", map[string]string{"Range": "bytes=2-4"}, 206, "234"},
		{"the end", "GET", map[string]string{"Range": "bytes=-3"}, 206, "789"},
		{"a range of this version", "GET", map[string]string{"Range": "bytes=2-4", "If-Range": `"v1"`}, 206, "234"},
		{"a range of another version", "GET", map[string]string{"Range": "bytes=2-4", "If-Range": `"v0"`}, 200, "0123456789"},
		{"a range beyond the end", "GET", map[string]string{"Range": "bytes=99-"}, 416,
			`{"error":"the requested range is outside the file"}` + "\n"},
		{"known already", "GET", map[string]string{"If-None-Match": `"v1"`}, 304, ""},
		{"another version is known", "GET", map[string]string{"If-None-Match": `"v0"`}, 200, "0123456789"},
		{"another version is demanded", "GET", map[string]string{"If-Match": `"v0"`}, 412,
			`{"error":"the file does not have the version that the request requires"}` + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source := &content{Reader: strings.NewReader("0123456789")}
			r := httptest.NewRequest(tt.method, diffPath, nil)
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			httpx.Handler(newMux(t, io.Discard, fileOf(source)), httpx.Options{}).ServeHTTP(w, r)
			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			checkFileHeaders(t, w.Code, w.Header())
			if !source.closed {
				t.Error("the content was not closed")
			}
		})
	}
}

func checkFileHeaders(t *testing.T, status int, header http.Header) {
	t.Helper()
	want := map[string]string{"Cache-Control": "no-store"}
	if status < 300 {
		want["Content-Type"] = "application/json"
		want["Etag"] = `"v1"`
		want["Content-Disposition"] = "attachment; filename=td_20240315_123456.json"
	}
	if status >= 400 {
		want["Content-Type"] = "application/json"
		want["Content-Disposition"] = ""
		want["Content-Security-Policy"] = ""
	}
	for name, value := range want {
		if got := header.Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

func TestFile_ThatCannotBeOpenedIsAnError(t *testing.T) {
	file := fileOf(&content{Reader: strings.NewReader("")})
	file.Open = func(context.Context) (io.ReadSeekCloser, error) {
		return nil, fault.New(fault.Unavailable, "the store does not answer")
	}
	w := httptest.NewRecorder()
	httpx.Handler(newMux(t, io.Discard, file), httpx.Options{}).ServeHTTP(w, httptest.NewRequest("GET", diffPath, nil))
	if w.Code != 503 || w.Body.String() != `{"error":"the store does not answer"}`+"\n" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// An error of the first read is the answer. After a later one, the client sees that the
// download is incomplete. Both are logged.
func TestFile_AReadThatFailsIsSeenByTheClientAndLogged(t *testing.T) {
	for name, tt := range map[string]struct {
		size, good int    // bytes of the file, and those that can be read
		encoding   string // Accept-Encoding
		refused    bool
	}{
		"the first":             {10, 0, "identity", true},
		"the first, compressed": {100_000, 0, "gzip", true},
		"a later":               {100_000, 50_000, "identity", false},
		"a later, compressed":   {100_000, 50_000, "gzip", false},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			source := &content{Reader: strings.NewReader(strings.Repeat("x", tt.size)), err: fault.New(fault.Unavailable, "connection to the store lost"), good: tt.good}
			server := httptest.NewServer(httpx.Handler(newMux(t, &log, fileOf(source)), httpx.Options{}))
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/ace/diffs/td_20240315_123456", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Accept-Encoding", tt.encoding)
			resp, err := server.Client().Do(request)
			var body []byte
			if err == nil { // not all that was compressed may have been sent
				body, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			server.Close() // waits for the handler, so the log is complete
			switch {
			case !tt.refused && err == nil:
				t.Error("the client sees a complete file")
			case tt.refused && (err != nil || resp.StatusCode != 503 || string(body) != `{"error":"connection to the store lost"}`+"\n" || resp.Header.Get("Content-Encoding") != ""):
				t.Errorf("got %d %s, %v", resp.StatusCode, body, err)
			}
			if !strings.Contains(log.String(), "connection to the store lost") {
				t.Errorf("the log lacks the reason: %s", &log)
			}
		})
	}
}

func TestBody_ThatEndsEarlyIsABadRequest(t *testing.T) {
	r := httptest.NewRequest("POST", "http://localhost:5000/healthz", io.MultiReader(strings.NewReader("a="), brokenReader{}))
	w := httptest.NewRecorder()
	httpx.Handler(newMux(t, io.Discard, nil), httpx.Options{}).ServeHTTP(w, r)
	if w.Code != 400 || w.Body.String() != `{"error":"the request body is incomplete"}`+"\n" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
