package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/task"
)

// typeJSON is the content type of a document.
const typeJSON = "application/json"

// Import stores a diff document, of ours or of the older ACE, that somebody brings. Its name is its SHA-256, so bringing
// it again stores nothing. Invalid if it is no diff document. It is stored twice on the way, since its name is known only
// at its end; memory stays flat.
func (s *Service) Import(ctx context.Context, req api.ImportRequest, body io.Reader) (api.Imported, error) {
	if req.Upload != "" {
		return s.uploaded(ctx, req.Upload, body)
	}
	incoming := archive.IncomingKey(rand.Text())
	received, err := s.receive(ctx, incoming, body)
	if err != nil {
		return api.Imported{}, err
	}
	// What cannot be removed now is, like what a dead process leaves, when old objects are looked for.
	defer func() { _ = s.Store.Delete(context.WithoutCancel(ctx), incoming) }()
	key := archive.ImportKey(received.SHA256)
	if err := s.adopt(ctx, received, key); err != nil {
		return api.Imported{}, err
	}
	return api.Imported{DiffFile: key}, nil
}

// receive stores what is brought while it is read as a diff document.
func (s *Service) receive(ctx context.Context, key string, body io.Reader) (task.Document, error) {
	w, err := s.Store.Create(ctx, key, typeJSON)
	if err != nil {
		return task.Document{}, err
	}
	defer w.Abort()
	sum, err := checked(io.TeeReader(body, w))
	if err != nil {
		return task.Document{}, err
	}
	info, err := w.Commit(ctx)
	return task.Document{Key: key, Size: info.Size, SHA256: sum}, err
}

// checked reads all of a diff document and gives its SHA-256. Invalid if it is none.
func checked(body io.Reader) (string, error) {
	digest := sha256.New()
	read := io.TeeReader(body, digest)
	document, err := difffile.Open(read)
	if err == nil {
		err = document.Check()
	}
	if err == nil {
		_, err = io.Copy(io.Discard, read)
	}
	return hex.EncodeToString(digest.Sum(nil)), err
}

// adopt gives a received document its name, unless there is one of that name, which has the same content.
func (s *Service) adopt(ctx context.Context, received task.Document, key string) error {
	there, err := s.Store.Stat(ctx, key)
	if err == nil && there.Size == received.Size {
		return nil
	}
	if err == nil {
		return fault.New(fault.Internal, "%s in the archive is damaged: it has %d bytes instead of %d", key, there.Size, received.Size)
	}
	if !errors.Is(err, archive.ErrNotFound) {
		return err
	}
	info, err := s.Store.Stat(ctx, received.Key)
	if err != nil {
		return err
	}
	source, err := archive.OpenVerified(ctx, s.Store, info, received.SHA256)
	if err != nil {
		return err
	}
	defer source.Close()
	w, err := s.Store.Create(ctx, key, typeJSON)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.Copy(w, source); err != nil {
		return err
	}
	if _, err := w.Commit(ctx); !errors.Is(err, archive.ErrPrecondition) {
		return err
	}
	return nil
}
