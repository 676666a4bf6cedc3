package httpx_test

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/endpoint"
	"ace/shared/endpoint/httpx"
)

// receiver accepts POSTs of at most 10 bytes.
func receiver(t *testing.T, read func(io.Reader) error) *endpoint.Mux {
	t.Helper()
	list := endpoint.JSON(api.RouteDiffs, api.DecodeDiffs, func(context.Context, api.DiffsRequest) (string, error) { return "list", nil })
	mux, err := endpoint.New(endpoint.Options{}, endpoint.Receiving(list, 10, api.DecodeImport,
		func(_ context.Context, _ api.ImportRequest, body io.Reader) (string, error) {
			return "read", read(body)
		}))
	if err != nil {
		t.Fatal(err)
	}
	return mux
}

func drain(body io.Reader) error {
	_, err := io.Copy(io.Discard, body)
	return err
}

// unsized is a body without a known length.
type unsized struct{ io.Reader }

func TestStream_OfAnyLengthEndsAtTheLimit(t *testing.T) {
	for body, status := range map[string]int{"0123456789": 200, "0123456789x": 413} {
		for name, reader := range map[string]io.Reader{"known length": strings.NewReader(body), "unknown length": unsized{strings.NewReader(body)}} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest("POST", "http://localhost:5000/ace/diffs", reader)
			httpx.Handler(receiver(t, drain), httpx.Options{}).ServeHTTP(w, r)
			if w.Code != status {
				t.Errorf("%d bytes, %s: got %d %s, want %d", len(body), name, w.Code, w.Body, status)
			}
		}
	}
}

func TestStream_ThatEndsEarlyIsABadRequest(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "http://localhost:5000/ace/diffs", io.MultiReader(strings.NewReader("01"), brokenReader{}))
	httpx.Handler(receiver(t, drain), httpx.Options{}).ServeHTTP(w, r)
	if w.Code != 400 || w.Body.String() != `{"error":"the request body is incomplete"}`+"\n" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestStream_FromAForeignWebPageIsNotRead(t *testing.T) {
	for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "http://localhost:5000/ace/diffs", strings.NewReader("0"))
		r.Header.Set(name, value)
		httpx.Handler(receiver(t, func(io.Reader) error {
			t.Errorf("%s: %s: the body is read", name, value)
			return nil
		}), httpx.Options{}).ServeHTTP(w, r)
		if w.Code != 403 {
			t.Errorf("%s: %s: got %d", name, value, w.Code)
		}
	}
}
