package httpx

import (
	"io"
	"mime"
	"net/http"

	"ace/shared/endpoint"
	"ace/shared/fault"
)

// serveFile streams a download: whole, a range of it, or "not modified", as the request asks.
func serveFile(w http.ResponseWriter, r *http.Request, mux *endpoint.Mux, req endpoint.Request, resp endpoint.Response) {
	file := resp.File
	content, err := file.Open(r.Context())
	if err != nil {
		write(w, mux.Fail(r.Context(), req, err))
		return
	}
	defer func() { _ = content.Close() }() // it was only read
	for name, value := range resp.Header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Name}))
	if file.ETag != "" {
		w.Header().Set("ETag", `"`+file.ETag+`"`)
	}
	source := &watched{ReadSeeker: content}
	http.ServeContent(&fileWriter{ResponseWriter: w}, r, file.Name, file.ModTime, source)
	if source.err != nil {
		// The status is out; the missing bytes tell the client. The log gets the reason.
		mux.Fail(r.Context(), req, source.err)
	}
}

// watched remembers the error that http.ServeContent swallows.
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

// fileWriter replaces the plain text errors of http.ServeContent by ours.
type fileWriter struct {
	http.ResponseWriter
	failed bool
}

func (w *fileWriter) WriteHeader(status int) {
	if status < 400 {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.failed = true
	resp := fileError(status)
	w.Header().Del("Content-Length")
	w.Header().Del("Content-Disposition")
	write(w.ResponseWriter, resp)
}

func (w *fileWriter) Write(p []byte) (int, error) {
	if w.failed {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

func fileError(status int) endpoint.Response {
	message := "the file could not be served"
	switch status {
	case http.StatusRequestedRangeNotSatisfiable:
		message = "the requested range lies outside of the file"
	case http.StatusPreconditionFailed:
		message = "the file is not the version that the request demands"
	}
	resp := endpoint.ErrorResponse(fault.New(fault.Invalid, "%s", message))
	resp.Status = status
	return resp
}
