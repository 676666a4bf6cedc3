package endpoint

import (
	"io"
	"strings"

	"ace/shared/api"
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
	File   *api.File
}
