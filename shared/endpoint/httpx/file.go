package httpx

import (
	"io"
	"net/http"

	"ace/shared/endpoint"
	"ace/shared/fault"
)

// inlinePolicy is the Content-Security-Policy of a page that the browser shows. It
// applies in addition to the policy in the page itself. A sandboxed page has an origin of
// its own: it is not a page of this service, so the guard refuses its requests. The page
// may run its own script, but load nothing.
const inlinePolicy = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// leadingPolicy is the Content-Security-Policy of a page with links to other pages of the
// service. The page keeps the origin of the service, so that the guard accepts the
// requests of its links. That is safe because the page runs no script.
const leadingPolicy = "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// serveFile answers with a download: the whole file (compressed if the client accepts
// that), a range, or "not modified". If a read fails before any byte was sent, the answer
// is the error. If one fails later, or the file turns out to be damaged, the client sees
// that the download is incomplete.
func serveFile(w http.ResponseWriter, r *http.Request, mux *endpoint.Mux, req endpoint.Request, resp endpoint.Response) {
	file := resp.File
	content, err := file.Open(r.Context())
	if err != nil {
		write(w, mux.Fail(r.Context(), req, err))
		return
	}
	defer func() { _ = content.Close() }() // the file was only read, so an error of Close has no effect
	for name, value := range resp.Header {
		w.Header().Set(name, value)
	}

	w.Header().Set("Content-Disposition", file.Disposition())
	if file.Inline {
		policy := inlinePolicy
		if file.Leads {
			policy = leadingPolicy
		}
		w.Header().Set("Content-Security-Policy", policy)
	}
	w.Header().Set("Vary", "Accept-Encoding")
	source := &watched{ReadSeeker: content}
	out := &fileWriter{ResponseWriter: w, refusal: func() *endpoint.Response {
		if source.err == nil {
			return nil
		}
		failure := mux.Fail(r.Context(), req, source.err)
		return &failure
	}}
	compressed := compressible(r, file)
	if compressed {
		serveCompressed(out, r, file, source)
	} else {
		setETag(w, file.ETag)
		http.ServeContent(out, r, file.Name, file.ModTime, source)
	}

	switch {
	case out.failed:
		return
	case source.err == nil:
		out.begin()
		return
	case !out.begun:
		out.WriteHeader(http.StatusInternalServerError)
		return
	}

	// The status is sent already, so Fail only logs the error. The client detects the
	// missing bytes by Content-Length. A compressed response has no Content-Length, so
	// its connection is aborted.
	mux.Fail(r.Context(), req, source.err)
	if compressed {
		panic(http.ErrAbortHandler) //nolint:forbidigo // makes net/http abort the connection
	}
}

func setETag(w http.ResponseWriter, etag string) {
	if etag != "" {
		w.Header().Set("ETag", `"`+etag+`"`)
	}
}

// watched records the errors that http.ServeContent ignores.
type watched struct {
	io.ReadSeeker
	err error
}

func (s *watched) Read(p []byte) (int, error) {
	n, err := s.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *watched) Seek(offset int64, whence int) (int64, error) {
	to, err := s.ReadSeeker.Seek(offset, whence)
	if err != nil {
		s.err = err
	}
	return to, err
}

// fileWriter replaces the errors that http.ServeContent writes as plain text with errors
// in JSON. It sends the status with the first bytes of the file, so that an error of the
// first read can still be the answer.
type fileWriter struct {
	http.ResponseWriter
	refusal func() *endpoint.Response // returns the error response for a failed read of the file, or nil if no read failed
	status  int
	begun   bool // the status is sent
	failed  bool // an error is sent
}

// WriteHeader implements http.ResponseWriter.
func (w *fileWriter) WriteHeader(status int) {
	if status < 400 {
		w.status = status
		return
	}
	w.failed = true
	resp := fileError(status)
	if refusal := w.refusal(); refusal != nil {
		resp = *refusal
	}
	for _, name := range []string{"Content-Length", "Content-Disposition", "Content-Security-Policy", "Content-Encoding", "Content-Range", "ETag", "Last-Modified"} {
		w.Header().Del(name)
	}
	write(w.ResponseWriter, resp)
}

// Write implements http.ResponseWriter.
func (w *fileWriter) Write(p []byte) (int, error) {
	if w.failed {
		return len(p), nil
	}
	w.begin()
	return w.ResponseWriter.Write(p)
}

// begin sends the status.
func (w *fileWriter) begin() {
	if !w.begun && w.status != 0 {
		w.ResponseWriter.WriteHeader(w.status)
	}
	w.begun = true
}

func fileError(status int) endpoint.Response {
	message := "the file could not be served"
	switch status {
	case http.StatusRequestedRangeNotSatisfiable:
		message = "the requested range is outside the file"
	case http.StatusPreconditionFailed:
		message = "the file does not have the version that the request requires"
	}
	resp := endpoint.ErrorResponse(fault.New(fault.Invalid, "%s", message))
	resp.Status = status
	return resp
}
