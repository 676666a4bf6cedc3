package httpx_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ace/shared/endpoint/httpx"
	"ace/shared/fault"
)

var rows = strings.Repeat(`{"id": 1, "name": "Ann"}`+"\n", 1000)

func TestFile_IsCompressedIfTheClientAcceptsIt(t *testing.T) {
	tests := []struct {
		name     string
		header   map[string]string
		status   int
		encoding string
		etag     string
	}{
		{"nothing said", nil, 200, "", `"v1"`},
		{"gzip", map[string]string{"Accept-Encoding": "deflate, gzip;q=0.5"}, 200, "gzip", `"v1-gzip"`},
		{"anything but gzip", map[string]string{"Accept-Encoding": "br, gzip;q=0, *"}, 200, "", `"v1"`},
		{"a name that begins with gzip", map[string]string{"Accept-Encoding": "gzipped"}, 200, "", `"v1"`},
		{"a range", map[string]string{"Accept-Encoding": "gzip", "Range": "bytes=0-"}, 206, "", `"v1"`},
		{"known already", map[string]string{"Accept-Encoding": "gzip", "If-None-Match": `"v1-gzip"`}, 304, "gzip", `"v1-gzip"`},
		{"not demanded", map[string]string{"Accept-Encoding": "gzip", "If-Match": `"v0"`}, 412, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", diffPath, nil)
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			file := fileOf(&content{Reader: strings.NewReader(rows)})
			httpx.Handler(newMux(t, io.Discard, file), httpx.Options{}).ServeHTTP(w, r)
			if w.Code != tt.status || w.Header().Get("Etag") != tt.etag || w.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("got %d %v", w.Code, w.Header())
			}
			if tt.status < 300 && w.Header().Get("Content-Encoding") != tt.encoding {
				t.Errorf("Content-Encoding is %q, want %q", w.Header().Get("Content-Encoding"), tt.encoding)
			}
			if tt.status < 300 && plain(t, w) != rows {
				t.Error("the content is another")
			}
			if tt.status == 412 && !strings.HasPrefix(w.Body.String(), `{"error":`) {
				t.Errorf("the error is %q", w.Body)
			}
		})
	}
}

// plain returns the decompressed body.
func plain(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var body io.Reader = w.Body
	if w.Header().Get("Content-Encoding") == "gzip" {
		if w.Body.Len() > len(rows)/4 {
			t.Errorf("compressed it has %d bytes", w.Body.Len())
		}
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		body = unzipped
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// brittle is content whose damage is detected at its end, or when it is read from its
// middle.
type brittle struct{ *content }

var errDamaged = fault.New(fault.Internal, "the document is damaged")

func (b brittle) Read(p []byte) (int, error) {
	n, err := b.content.Read(p)
	if b.Len() == 0 {
		return 0, errDamaged
	}
	return n, err
}

func (b brittle) Seek(offset int64, whence int) (int64, error) {
	if offset > 0 {
		return 0, errDamaged
	}
	return b.content.Seek(offset, whence)
}

type opener = func(context.Context) (io.ReadSeekCloser, error)

func brittleOpen(open opener) opener {
	return func(ctx context.Context) (io.ReadSeekCloser, error) {
		opened, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return brittle{opened.(*content)}, nil
	}
}

func TestFile_ThatIsDamagedIsNeverServedCompletely(t *testing.T) {
	for name, header := range map[string]string{"plain": "identity", "compressed": "gzip"} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			file := fileOf(&content{Reader: strings.NewReader(rows + rows + rows)})
			file.Open = brittleOpen(file.Open)
			server := httptest.NewServer(httpx.Handler(newMux(t, &log, file), httpx.Options{}))
			req, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/ace/diffs/td_20240315_123456", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Accept-Encoding", header)
			resp, err := server.Client().Do(req)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			server.Close()
			if err == nil {
				t.Errorf("the client sees %v", err)
			}
			if strings.Count(log.String(), "the document is damaged") != 1 {
				t.Errorf("the log is %s", &log)
			}
		})
	}
}

func TestFile_ThatIsDamagedServesNoRange(t *testing.T) {
	var log bytes.Buffer
	file := fileOf(&content{Reader: strings.NewReader(rows)})
	file.Open = brittleOpen(file.Open)
	r := httptest.NewRequest("GET", diffPath, nil)
	r.Header.Set("Range", "bytes=5-")
	w := httptest.NewRecorder()
	httpx.Handler(newMux(t, &log, file), httpx.Options{}).ServeHTTP(w, r)
	if w.Code != 500 || w.Body.String() != `{"error":"the document is damaged"}`+"\n" || w.Header().Get("Etag") != "" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	if strings.Count(log.String(), "the document is damaged") != 1 {
		t.Errorf("the log is %s", &log)
	}
}
