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

// typeSQL is the media type of a script for psql.
const typeSQL = "application/sql"

// Import stores a diff document that this program or pgEdge ACE wrote. The document's key
// contains its SHA-256, so a second import of the same document stores nothing new. The
// error is Invalid if the body is not a diff document. Import first stores the document
// under a temporary name, because its SHA-256 is known only at its end. Import needs no
// more memory for a large document than for a small one.
func (s *Service) Import(ctx context.Context, req api.ImportRequest, body io.Reader) (api.Imported, error) {
	if req.Upload != "" {
		return s.importUpload(ctx, req.Upload, body)
	}

	imported, err := s.importDocument(ctx, body)
	return api.Imported{DiffFile: imported.Key}, err
}

// importDocument stores a document under its final key.
func (s *Service) importDocument(ctx context.Context, body io.Reader) (task.Document, error) {
	incoming := archive.IncomingKey(rand.Text())
	received, err := s.receive(ctx, incoming, body)
	if err != nil {
		return task.Document{}, err
	}

	// If this fails, or if the process dies first, the retention sweep deletes the
	// temporary object.
	defer func() { _ = s.Store.Delete(context.WithoutCancel(ctx), incoming) }()

	key := archive.ImportKey(received.SHA256)
	if err := s.publish(ctx, received, key); err != nil {
		return task.Document{}, err
	}
	return task.Document{Key: key, Size: received.Size, SHA256: received.SHA256}, nil
}

// receive stores a document under a temporary key. While it writes, it checks that the
// document is a diff document.
func (s *Service) receive(ctx context.Context, key string, body io.Reader) (task.Document, error) {
	w, err := s.Store.Create(ctx, key, typeJSON)
	if err != nil {
		return task.Document{}, err
	}
	defer w.Abort()
	sum, err := checkDocument(io.TeeReader(body, w))
	if err != nil {
		return task.Document{}, err
	}
	info, err := w.Commit(ctx)
	return task.Document{Key: key, Size: info.Size, SHA256: sum}, err
}

// checkDocument reads a diff document to its end and returns its SHA-256. The error is
// Invalid if it is not a diff document.
func checkDocument(body io.Reader) (string, error) {
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

// publish copies a received document to its final key. It stores nothing if an object
// with this key and the same size exists: the key contains the SHA-256 of the content. An
// existing object of another size is damaged.
func (s *Service) publish(ctx context.Context, received task.Document, key string) error {
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

	if _, err := s.record(ctx, api.AuditEntry{Action: api.RouteDiffs.Name(), Object: key}); err != nil {
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
