package httpx_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/endpoint"
	"ace/shared/endpoint/httpx"
	"ace/shared/fault"
)

// serveStream serves a stream whose content is written by write. closed counts the calls
// of its Close.
func serveStream(t *testing.T, log io.Writer, write func(w io.Writer) error) (server *httptest.Server, closed *int) {
	t.Helper()
	closed = new(int)
	mux, err := endpoint.New(endpoint.Options{Logger: slog.New(slog.NewTextHandler(log, nil))},
		endpoint.JSON(api.RouteBackup, api.DecodeBackup, func(context.Context, api.BackupRequest) (*api.Stream, error) {
			return &api.Stream{
				ContentType: "application/x-tar", Name: "ace.tar",
				Write: func(_ context.Context, w io.Writer) error { return write(w) },
				Close: func() { *closed++ },
			}, nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	return httptest.NewServer(httpx.Handler(mux, httpx.Options{})), closed
}

func getStream(t *testing.T, server *httptest.Server) (*http.Response, string, error) {
	t.Helper()
	response, err := server.Client().Get(server.URL + "/ace/backup")
	if err != nil { // the connection was closed before the header was sent
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

func TestStream_IsADownload(t *testing.T) {
	server, closed := serveStream(t, io.Discard, func(w io.Writer) error {
		_, err := io.WriteString(w, "content")
		return err
	})
	response, body, err := getStream(t, server)
	server.Close()
	if err != nil || response.StatusCode != 200 || body != "content" || response.Header.Get("Content-Type") != "application/x-tar" ||
		response.Header.Get("Content-Disposition") != "attachment; filename=ace.tar" || *closed != 1 {
		t.Errorf("got %d %q %v, %v, closed %d times", response.StatusCode, body, response.Header, err, *closed)
	}
}

func TestStream_ThatFailsNeverLooksComplete(t *testing.T) {
	for _, size := range []int{1, 5000, 1 << 20} {
		var log bytes.Buffer
		server, closed := serveStream(t, &log, func(w io.Writer) error {
			if _, err := io.WriteString(w, strings.Repeat("x", size)); err != nil {
				return err
			}
			return fault.New(fault.Unavailable, "the disk is gone")
		})
		_, _, err := getStream(t, server)
		server.Close() // waits for the handler, so the log is complete
		if err == nil || *closed != 1 || !strings.Contains(log.String(), "the disk is gone") {
			t.Errorf("after %d bytes the client sees %v, closed %d times, log %s", size, err, *closed, &log)
		}
	}
}

func TestStream_ThatFailsBeforeItsFirstByteIsAnError(t *testing.T) {
	server, closed := serveStream(t, io.Discard, func(io.Writer) error { return fault.New(fault.Unavailable, "the disk is gone") })
	response, body, err := getStream(t, server)
	server.Close()
	if err != nil || response.StatusCode != 503 || body != `{"error":"the disk is gone"}`+"\n" || response.Header.Get("Content-Disposition") != "" || *closed != 1 {
		t.Errorf("got %d %s %v, %v, closed %d times", response.StatusCode, body, response.Header, err, *closed)
	}
}
