package endpoint

import (
	"context"
	"io"
	"strings"
	"time"
)

// Header holds header fields: names in lower case, several values of a field joined by ", ".
type Header map[string]string

// Get gives a field by its name in any case, "" if it is absent.
func (h Header) Get(name string) string { return h[strings.ToLower(name)] }

// Request is what a transport was asked.
type Request struct {
	Method   string
	Path     string // percent-decoded, without the stage of an API
	RawQuery string // as sent
	Header   Header
	Body     []byte // a transport may stop reading one byte after Mux.BodyLimit
	// Stream is the body instead, where Mux.Streams says so and the transport can stream. It ends with a fault.
	Stream io.Reader
}

// Response is what a transport is to answer: Body, or File if that is set.
type Response struct {
	Status int
	Header map[string]string // canonical names
	Body   []byte
	File   *File
}

// File is a download. A transport that can stream calls Open, one that cannot redirects to what Presign gives.
type File struct {
	ContentType string
	Name        string // file name to save it under
	ETag        string // without quotes
	Size        int64  // bytes
	ModTime     time.Time
	// Open gives the content. The transport closes it. Where the content is known to be damaged, Open, Seek or Read fails
	// before the last byte is out.
	Open func(ctx context.Context) (io.ReadSeekCloser, error)
	// Presign gives a URL that downloads the content without credentials.
	Presign func(ctx context.Context) (string, error)
}
