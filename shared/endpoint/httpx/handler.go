package httpx

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/endpoint"
	"ace/shared/fault"
)

// Options say who may call.
type Options struct {
	Hosts []string // host names or addresses, without port, that a request may name besides the loopback ones
	Token string   // if not empty, every request must carry it: Authorization: Bearer <token>
}

// Guarded serves h, whose requests change nothing, to those whom the options let in.
func Guarded(h http.Handler, opts Options) http.Handler {
	g := newGuard(opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.check(r, false); err != nil {
			write(w, endpoint.ErrorResponse(err))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// Handler serves mux to those whom the options let in.
func Handler(mux *endpoint.Mux, opts Options) http.Handler {
	g := newGuard(opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isolate(w.Header())
		req := request(r)
		if err := g.check(r, mux.Changes(r.Method, r.URL.Path)); err != nil {
			write(w, mux.Fail(r.Context(), req, err))
			return
		}
		if err := takeBody(w, r, mux, &req); err != nil {
			write(w, mux.Fail(r.Context(), req, err))
			return
		}
		resp := mux.Handle(r.Context(), req)
		if resp.File != nil {
			serveFile(w, r, mux, req, resp)
			return
		}
		write(w, resp)
	})
}

// isolate forbids browsers to use an answer in a page of another site, as a script for instance, whatever its type.
func isolate(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
}

func request(r *http.Request) endpoint.Request {
	header := make(endpoint.Header, len(r.Header))
	for name, values := range r.Header {
		header[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return endpoint.Request{Method: r.Method, Path: r.URL.Path, RawQuery: r.URL.RawQuery, Header: header}
}

// takeBody gives a request its body, as a stream where that is wanted.
func takeBody(w http.ResponseWriter, r *http.Request, mux *endpoint.Mux, req *endpoint.Request) (err error) {
	maxBody, streams := mux.Streams(r.Method, r.URL.Path)
	if !streams {
		req.Body, err = readBody(w, r, mux.BodyLimit())
		return err
	}
	if r.ContentLength > maxBody {
		return api.BodyTooLarge(maxBody)
	}
	// The server's own limit is meant for parameters. Where there is none to change, there is none.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(streamTime))
	req.Stream = stream{http.MaxBytesReader(w, r.Body, maxBody)}
	return nil
}

// streamTime bounds how long a streamed body may take: a large document through a slow tunnel.
const streamTime = 30 * time.Minute

// stream translates the errors of a body.
type stream struct{ body io.Reader }

func (s stream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case errors.As(err, &tooLarge):
		return n, api.BodyTooLarge(tooLarge.Limit)
	}
	return n, errBodyBroken(err)
}

func errBodyBroken(err error) error {
	return fault.Wrap(err, fault.Invalid, "the request body could not be read to its end")
}

// readBody reads one byte more than the limit at most: the mux words the refusal.
func readBody(w http.ResponseWriter, r *http.Request, limit int) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)+1))
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return nil, errBodyBroken(err)
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
