package httpx

import (
	"mime"
	"net/http"
	"time"

	"ace/shared/endpoint"
)

// streamPatience bounds the time in which the client of a stream must accept some data.
// The whole response may take longer than the server's write timeout.
const streamPatience = 5 * time.Minute

// serveStream answers with a download of unknown size. If the stream fails after its
// first byte, the connection is aborted without the end of the body, so that no client
// takes the download for complete.
func serveStream(w http.ResponseWriter, r *http.Request, mux *endpoint.Mux, req endpoint.Request, resp endpoint.Response) {
	defer resp.Stream.Close()
	for name, value := range resp.Header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": resp.Stream.Name}))

	out := &streamWriter{ResponseWriter: w, control: http.NewResponseController(w)}
	err := resp.Stream.Write(r.Context(), out)
	if err == nil {
		return
	}
	failure := mux.Fail(r.Context(), req, err)
	if !out.begun {
		w.Header().Del("Content-Disposition")
		write(w, failure)
		return
	}
	panic(http.ErrAbortHandler) //nolint:forbidigo // makes net/http abort the connection
}

// streamWriter extends the write deadline while the client accepts data.
type streamWriter struct {
	http.ResponseWriter
	control  *http.ResponseController
	begun    bool
	extended time.Time
}

func (w *streamWriter) Write(p []byte) (int, error) {
	w.begun = true
	if now := time.Now(); now.Sub(w.extended) > time.Second {
		w.extended = now
		// If the deadline cannot be set, the server has no write timeout either.
		_ = w.control.SetWriteDeadline(now.Add(streamPatience))
	}
	return w.ResponseWriter.Write(p)
}
