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

// uploadValid is how long an upload URL is valid. If an upload is not imported, the
// retention sweep deletes it after a day.
const uploadValid = time.Hour

// importUpload handles the two steps of importing a document that is too large for the
// body of a request. If upload is api.UploadNew, importUpload returns an upload URL.
// Otherwise upload is the id of an earlier upload, and importUpload imports the uploaded
// document.
func (s *Service) importUpload(ctx context.Context, upload string, body io.Reader) (api.Imported, error) {
	if n, _ := io.ReadFull(body, make([]byte, 1)); n > 0 {
		return api.Imported{}, fault.New(fault.Invalid, "a request with upload must not have a body: send the document to upload_url with PUT")
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
	if err := s.publish(ctx, received, key); err != nil {
		return api.Imported{}, err
	}

	_ = s.Store.Delete(context.WithoutCancel(ctx), received.Key) // the retention sweep deletes it if this fails
	return api.Imported{DiffFile: key}, nil
}

// inspect checks that an upload is a diff document, and returns its key, size and
// SHA-256. It deletes an upload that is invalid or too large, because such an upload can
// never be imported.
func (s *Service) inspect(ctx context.Context, upload string) (task.Document, error) {
	key := archive.IncomingKey(upload)
	info, err := s.Store.Stat(ctx, key)
	if errors.Is(err, archive.ErrNotFound) {
		return task.Document{}, fault.Wrap(err, fault.NotFound, "there is no upload %s, or it was imported already", upload)
	}
	if err != nil {
		return task.Document{}, err
	}

	var sum string
	if info.Size > s.MaxImport {
		err = api.BodyTooLarge(s.MaxImport)
	} else {
		content := archive.Open(ctx, s.Store, info)
		sum, err = checkDocument(content)
		content.Close()
	}

	if code := fault.CodeOf(err); err != nil && (code == fault.Invalid || code == fault.TooLarge) {
		_ = s.Store.Delete(ctx, key)
	}
	return task.Document{Key: key, Size: info.Size, SHA256: sum}, err
}
