package endpoint

import (
	"io"
	"strings"

	"ace/shared/api"
)

// Header holds header fields. The names are in lower case. Several values of a field are
// joined with ", ".
type Header map[string]string

// Get returns the value of a field, or "" if it is absent. The name may be in any case.
func (h Header) Get(name string) string { return h[strings.ToLower(name)] }

// Request is a request as received by a transport.
type Request struct {
	Method   string
	Path     string // percent-decoded, without the name of an API's stage
	RawQuery string // the query string, not decoded
	Header   Header
	Body     []byte // the transport may omit all bytes after the first Mux.BodyLimit+1, because the Mux refuses such a body anyway
	// Stream replaces Body if Mux.Streams reports true and the transport can stream. The
	// errors of Stream.Read are faults.
	Stream io.Reader
}

// Response is the response that a transport sends. If File or Stream is not nil, the
// transport sends it instead of Body.
type Response struct {
	Status int
	Header map[string]string // field names are in canonical form
	Body   []byte
	File   *api.File
	Stream *api.Stream
}
