package httpx

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"ace/shared/endpoint"
	"ace/shared/fault"
)

// Options say who may call.
type Options struct {
	Hosts []string // host names or addresses, without port, that a request may name besides the loopback ones
	Token string   // if not empty, every request must carry it: Authorization: Bearer <token>
}

// Handler serves mux to those whom the options let in.
func Handler(mux *endpoint.Mux, opts Options) http.Handler {
	g := newGuard(opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := request(r)
		if err := g.check(r); err != nil {
			write(w, mux.Fail(r.Context(), req, err))
			return
		}
		body, err := readBody(w, r, mux.BodyLimit())
		if err != nil {
			write(w, mux.Fail(r.Context(), req, err))
			return
		}
		req.Body = body
		resp := mux.Handle(r.Context(), req)
		if resp.File != nil {
			serveFile(w, r, mux, req, resp)
			return
		}
		write(w, resp)
	})
}

func request(r *http.Request) endpoint.Request {
	header := make(endpoint.Header, len(r.Header))
	for name, values := range r.Header {
		header[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return endpoint.Request{Method: r.Method, Path: r.URL.Path, RawQuery: r.URL.RawQuery, Header: header}
}

// readBody reads one byte more than the limit at most: the mux words the refusal.
func readBody(w http.ResponseWriter, r *http.Request, limit int) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)+1))
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return nil, fault.Wrap(err, fault.Invalid, "the request body could not be read to its end")
	}
	return body, nil
}

func write(w http.ResponseWriter, resp endpoint.Response) {
	for name, value := range resp.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(resp.Status)
	_, _ = w.Write(resp.Body) // a client that is gone needs no answer
}
