package httpx

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"

	"ace/shared/api"
)

// worthIt is the size in bytes from which a file is compressed: below, it fits one packet anyhow.
const worthIt = 1400

// compressible says whether a request gets the file compressed. One for a range gets the plain bytes: that is how an
// interrupted download is taken up.
func compressible(r *http.Request, file *api.File) bool {
	return file.Size >= worthIt && r.Header.Get("Range") == "" && acceptsGzip(r.Header.Values("Accept-Encoding"))
}

// acceptsGzip reads Accept-Encoding as far as it speaks of gzip.
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

// serveCompressed sends all of a file. What is compressed has another ETag than the file: a range of the one must not
// be taken for a range of the other.
func serveCompressed(w *fileWriter, r *http.Request, file *api.File, source *watched) {
	setETag(w, file.ETag+"-gzip")
	w.Header().Set("Content-Encoding", "gzip")
	compressed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level exists
	out := &compressedWriter{fileWriter: w, gzip: compressed}
	http.ServeContent(out, r, file.Name, file.ModTime, source)
	if out.used && source.err == nil {
		_ = compressed.Close() // a client that is gone needs no end
	}
}

// compressedWriter compresses the body of an answer, if it has one.
type compressedWriter struct {
	*fileWriter
	gzip io.Writer
	used bool
}

// Write compresses; the plain error that an answer may have instead passes fileWriter as it is.
func (w *compressedWriter) Write(p []byte) (int, error) {
	if w.failed {
		return w.fileWriter.Write(p)
	}
	w.used = true
	return w.gzip.Write(p)
}
