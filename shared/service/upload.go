package service

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
)

// uploadValid is how long a link to upload to works. What nobody brings in afterwards is removed after a day.
const uploadValid = time.Hour

// uploaded is an import in two steps, for documents that are too large for a request: the first gives a link into the
// archive, the second brings in what was uploaded there.
func (s *Service) uploaded(ctx context.Context, upload string, body io.Reader) (api.Imported, error) {
	if n, _ := io.ReadFull(body, make([]byte, 1)); n > 0 {
		return api.Imported{}, fault.New(fault.Invalid, "a request with upload has no body: the document is sent to upload_url by PUT")
	}
	if upload == api.UploadNew {
		upload = rand.Text()
		link, err := s.Store.PresignPut(ctx, archive.IncomingKey(upload), uploadValid)
		return api.Imported{Upload: upload, UploadURL: link, ExpiresAt: api.At(s.Now().Add(uploadValid))}, err
	}
	received, err := s.inspect(ctx, upload)
	if err != nil {
		return api.Imported{}, err
	}
	key := archive.ImportKey(received.SHA256)
	if err := s.adopt(ctx, received, key); err != nil {
		return api.Imported{}, err
	}
	_ = s.Store.Delete(context.WithoutCancel(ctx), received.Key) // else it is removed when old objects are looked for
	return api.Imported{DiffFile: key}, nil
}

// inspect reads what was uploaded as a diff document. What is none, or too large, is removed: it could never be one.
func (s *Service) inspect(ctx context.Context, upload string) (task.Document, error) {
	key := archive.IncomingKey(upload)
	info, err := s.Store.Stat(ctx, key)
	if errors.Is(err, archive.ErrNotFound) {
		return task.Document{}, fault.Wrap(err, fault.NotFound, "nothing was uploaded as %s, or it was brought in already", upload)
	}
	if err != nil {
		return task.Document{}, err
	}
	var sum string
	if info.Size > s.MaxImport {
		err = api.BodyTooLarge(s.MaxImport)
	} else {
		content := archive.Open(ctx, s.Store, info)
		sum, err = checked(content)
		content.Close()
	}
	if code := fault.CodeOf(err); err != nil && (code == fault.Invalid || code == fault.TooLarge) {
		_ = s.Store.Delete(ctx, key)
	}
	return task.Document{Key: key, Size: info.Size, SHA256: sum}, err
}
