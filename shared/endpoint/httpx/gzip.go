package httpx

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"

	"ace/shared/api"
)

// minCompressed is the least size in bytes of a file that is compressed. A smaller file
// fits into one packet, so compression would not make its download faster.
const minCompressed = 1400

// compressible reports whether the response to a request is compressed. A range is not
// compressed, because a client that resumes a download needs the plain bytes.
func compressible(r *http.Request, file *api.File) bool {
	return file.Size >= minCompressed && r.Header.Get("Range") == "" && acceptsGzip(r.Header.Values("Accept-Encoding"))
}

// acceptsGzip reports whether the values of Accept-Encoding allow gzip.
func acceptsGzip(values []string) bool {
	for coding := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, parameter, _ := strings.Cut(coding, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		weight, weighted := strings.CutPrefix(strings.TrimSpace(parameter), "q=")
		q, err := strconv.ParseFloat(weight, 64)
		return !weighted || err == nil && q > 0
	}
	return false
}

// serveCompressed sends the whole file compressed. The response has another ETag than the
// plain file, so that a client does not combine ranges of both.
func serveCompressed(w *fileWriter, r *http.Request, file *api.File, source *watched) {
	setETag(w, file.ETag+"-gzip")
	w.Header().Set("Content-Encoding", "gzip")
	compressed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // cannot fail: the level exists
	out := &compressedWriter{fileWriter: w, gzip: compressed}
	http.ServeContent(out, r, file.Name, file.ModTime, source)
	if out.used && source.err == nil {
		_ = compressed.Close() // fails only if the client is gone
	}
}

// compressedWriter compresses the body of a response.
type compressedWriter struct {
	*fileWriter
	gzip io.Writer
	used bool
}

// Write compresses p. It discards the plain text of an error, which fileWriter has
// replaced.
func (w *compressedWriter) Write(p []byte) (int, error) {
	if w.failed {
		return w.fileWriter.Write(p)
	}
	w.used = true
	return w.gzip.Write(p)
}
