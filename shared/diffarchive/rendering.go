package diffarchive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/render"
	"ace/shared/task"
)

// maxRendered is how many documents are rendered at once: each takes up to 60 MB.
const maxRendered = 2

// Renderings keeps renderings of documents in the archive, each beside its document. It may be used concurrently.
type Renderings struct {
	store archive.Store
	slots chan struct{}
}

// NewRenderings makes a Renderings.
func NewRenderings(store archive.Store) *Renderings {
	return &Renderings{store: store, slots: make(chan struct{}, maxRendered)}
}

// ContentType is the media type of a document's formats.
func ContentType(format string) string {
	switch format {
	case api.FormatCSV:
		return "text/csv; charset=utf-8; header=present"
	case api.FormatHTML:
		return "text/html; charset=utf-8"
	}
	return "application/json"
}

// Ensure gives the rendering of a document as csv or html: the one that is there, or one that is made now, which takes
// a while for a document of many rows. NotFound if there is no such document any more, Invalid if it is not the one
// that was recorded. Whatever happens, the document stays as it is, and a rendering is there as a whole or not at all.
func (r *Renderings) Ensure(ctx context.Context, recorded task.Document, format string) (archive.Info, error) {
	key := archive.RenderingKey(recorded.Key, format)
	info, err := r.store.Stat(ctx, key)
	if !errors.Is(err, archive.ErrNotFound) {
		return info, err
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return archive.Info{}, context.Cause(ctx)
	}
	// Somebody else may have made it meanwhile, here or in another process: theirs is as good.
	if info, err = r.store.Stat(ctx, key); !errors.Is(err, archive.ErrNotFound) {
		return info, err
	}
	made := r.make(ctx, recorded, key, format)
	info, err = r.store.Stat(ctx, key)
	if err != nil && made != nil { // an answer may have got lost, or somebody else was first: then one is there all the same
		err = made
	}
	return info, err
}

func (r *Renderings) make(ctx context.Context, recorded task.Document, key, format string) error {
	info, err := r.store.Stat(ctx, recorded.Key)
	if err != nil {
		return missing(err, recorded)
	}
	object, err := r.store.Create(ctx, key, ContentType(format))
	if err != nil {
		return err
	}
	defer object.Abort()
	source := &source{store: r.store, info: info, digest: sha256.New()}
	if format == api.FormatCSV {
		err = render.CSV(ctx, object, source.open)
	} else {
		err = render.HTML(ctx, object, source.open)
	}
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(source.digest.Sum(nil)); got != recorded.SHA256 {
		return changed(recorded, got)
	}
	_, err = object.Commit(ctx)
	return err
}

// source opens one version of a document. What is read from its beginning on enters the digest: a rendering begins by
// reading all of it.
type source struct {
	store  archive.Store
	info   archive.Info
	digest hash.Hash
}

func (s *source) open(ctx context.Context, offset int64) (io.ReadCloser, error) {
	object, err := s.store.GetRange(ctx, s.info.Key, s.info.ETag, offset, -1)
	if err != nil || offset > 0 {
		return object.Body, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(object.Body, s.digest), object.Body}, nil
}

func missing(err error, recorded task.Document) error {
	if fault.CodeOf(err) == fault.NotFound {
		return fault.Wrap(err, fault.NotFound, "the diff document %s is not in the archive any more", recorded.Key)
	}
	return err
}

func changed(recorded task.Document, got string) error {
	return fault.New(fault.Invalid, "the diff document %s has the SHA-256 %s, recorded is %s: it was changed", recorded.Key, got, recorded.SHA256)
}
