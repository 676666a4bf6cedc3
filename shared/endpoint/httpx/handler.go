package httpx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/endpoint"
	"ace/shared/fault"
)

// Options restrict who can send requests.
type Options struct {
	Hosts []string // host names or addresses, without port, that are allowed in addition to the loopback ones
	// Callers are the callers whose tokens are accepted (Authorization: Bearer <token>). nil
	// means that no token is required.
	Callers *caller.Tokens
	// Command means that the requests are those of a command in this process. It has an
	// effect only if Callers is nil.
	Command bool
	// WrongToken is called for each request with a token that no caller has. It may be nil.
	WrongToken func(ctx context.Context, by api.RequestedBy)
	// Refused is called for each request to the handler of Guarded that its caller may not
	// make. It may be nil. action is the path, such as metrics.
	Refused func(ctx context.Context, action string, refusal *caller.RefusalError)
}

// Guarded returns a handler that passes to h the requests that the options allow, if
// their caller may read and sees all clusters. h must not change anything: Guarded does
// not check that a request was sent on purpose, for example with the header X-ACE-Request
// (see guard.isDeliberate).
func Guarded(h http.Handler, opts Options) http.Handler {
	g := newGuard(opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isolate(w.Header())
		id, err := g.check(r, false)
		if err == nil {
			err = mayReadAll(id)
		}
		var refusal *caller.RefusalError
		if errors.As(err, &refusal) && opts.Refused != nil {
			opts.Refused(caller.NewContext(r.Context(), id), strings.Trim(caller.Clean(r.URL.Path), "/"), refusal)
		}
		if err != nil {
			write(w, endpoint.ErrorResponse(err))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// mayReadAll returns an error if a caller may not read what is about all clusters.
func mayReadAll(id caller.Identity) error {
	if err := id.CheckAllClusters(); err != nil {
		return err
	}
	return id.Check(api.RightRead)
}

// Handler returns a handler that serves mux for the requests that the options allow.
func Handler(mux *endpoint.Mux, opts Options) http.Handler {
	g := newGuard(opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isolate(w.Header())
		req := request(r)
		mux.Note(r.Context(), req)
		id, err := g.check(r, mux.Changes(r.Method, r.URL.Path))
		if err != nil {
			write(w, mux.Fail(r.Context(), req, err))
			return
		}
		r = r.WithContext(caller.NewContext(r.Context(), id))
		if err := setBody(w, r, mux, &req); err != nil {
			write(w, mux.Fail(r.Context(), req, err))
			return
		}
		resp := mux.Handle(r.Context(), req)
		if resp.File != nil {
			serveFile(w, r, mux, req, resp)
			return
		}
		if resp.Stream != nil {
			serveStream(w, r, mux, req, resp)
			return
		}
		write(w, resp)
	})
}

// isolate sets headers that forbid browsers to use a response in a page of another site,
// for example as a script. Strict-Transport-Security is not among them, because it would
// also forbid plain HTTP to other servers of the host.
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

// setBody sets req.Stream if the endpoint reads a stream, otherwise req.Body.
func setBody(w http.ResponseWriter, r *http.Request, mux *endpoint.Mux, req *endpoint.Request) (err error) {
	maxBody, streams := mux.Streams(r.Method, r.URL.Path)
	if !streams {
		req.Body, err = readBody(w, r, mux.BodyLimit())
		return err
	}
	if r.ContentLength > maxBody {
		return api.BodyTooLarge(maxBody)
	}
	// The server's read timeout is for parameters and too short for a document. If the
	// deadline cannot be set, the server has no read timeout either.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(streamTime))
	req.Stream = stream{http.MaxBytesReader(w, r.Body, maxBody)}
	return nil
}

// streamTime bounds the read of a streamed body, which may be a large document through a
// slow tunnel.
const streamTime = 30 * time.Minute

// stream is a request body that converts the errors of reading it to faults.
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
	return fault.Wrap(err, fault.Invalid, "the request body is incomplete")
}

// readBody reads at most limit+1 bytes of the body. If the body has more than limit
// bytes, the mux then reports that it is too large.
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
	_, _ = w.Write(resp.Body) // fails only if the client is gone
}
