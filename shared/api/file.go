package api

import (
	"context"
	"io"
	"mime"
	"time"

	"ace/shared/fault"
)

// File is a download. A transport that can stream calls Open. A transport that cannot
// stream redirects to the URL that Presign returns.
type File struct {
	ContentType string
	Name        string // name under which the client saves the file
	Inline      bool   // the browser shows the file instead of saving it
	Leads       bool   // the file is an HTML page without scripts and with links to other pages of the service
	ETag        string // the ETag without its quotes
	Size        int64  // size of the content in bytes
	ModTime     time.Time
	// Open returns the content. The transport must close it. If damage to the content is
	// detected, Open, Seek or Read fails before the last byte is returned.
	Open func(ctx context.Context) (io.ReadSeekCloser, error)
	// Presign returns a URL that downloads the content without credentials.
	Presign func(ctx context.Context) (string, error)
}

// Disposition returns the value of the file's Content-Disposition header. The name may
// contain any character.
func (f *File) Disposition() string {
	disposition := "attachment"
	if f.Inline {
		disposition = "inline"
	}
	return mime.FormatMediaType(disposition, map[string]string{"filename": f.Name})
}

// BodyTooLarge returns the error of a request body of more than limit bytes.
func BodyTooLarge(limit int64) error {
	return fault.New(fault.TooLarge, "the request body is too large; the maximum is %d bytes", limit)
}
