package api

import (
	"context"
	"io"
)

// BackupRequest asks for a backup of the archive.
type BackupRequest struct{}

// DecodeBackup returns an error if there are parameters.
func DecodeBackup(p Params) (BackupRequest, error) {
	return BackupRequest{}, newReader(p).finish(nil)
}

// Stream is a download whose size is not known before its end. Only a transport that can
// stream accepts it.
type Stream struct {
	ContentType string
	Name        string // name under which the client saves the file
	// Write writes the content. If it fails, the transport must end the response so that the
	// client knows that it is not complete.
	Write func(ctx context.Context, w io.Writer) error
	// Close releases what the stream uses. The transport must call it, also without Write.
	Close func()
}
