package diffarchive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"path"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/render"
	"ace/shared/setfile"
	"ace/shared/task"
)

// maxRendered bounds the number of concurrent renderings. Each needs up to 60 MB of
// memory.
const maxRendered = 2

// Renderings stores renderings of documents in the archive, each next to its document. It
// is safe for concurrent use.
type Renderings struct {
	store archive.Store
	slots chan struct{}
}

// NewRenderings returns the Renderings of a store.
func NewRenderings(store archive.Store) *Renderings {
	return &Renderings{store: store, slots: make(chan struct{}, maxRendered)}
}

// ContentType returns the media type of a document in a format.
func ContentType(format string) string {
	switch format {
	case api.FormatCSV:
		return "text/csv; charset=utf-8; header=present"
	case api.FormatHTML:
		return "text/html; charset=utf-8"
	}
	return "application/json"
}

// Ensure returns the rendering of a document as csv or html. If the archive has none,
// Ensure makes it, which takes seconds for a document of many rows. It returns NotFound
// if the document no longer exists, and Invalid if its SHA-256 is not the recorded one.
// It never changes the document. It never stores an incomplete rendering.
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

	// Another request or process may have made the rendering while this call waited for a
	// slot.
	if info, err = r.store.Stat(ctx, key); !errors.Is(err, archive.ErrNotFound) {
		return info, err
	}

	// Even if make failed, a rendering may exist: a response may have been lost, or another
	// process may have stored the rendering first.
	made := r.make(ctx, recorded, key, format)
	info, err = r.store.Stat(ctx, key)
	if err != nil && made != nil {
		err = made
	}
	return info, err
}

// make renders a document and stores the rendering.
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
	if err := source.render(ctx, object, format); err != nil {
		return err
	}

	// A rendering is stored only if the document has the recorded bytes.
	if got := hex.EncodeToString(source.digest.Sum(nil)); got != recorded.SHA256 {
		return changed(recorded, got)
	}
	_, err = object.Commit(ctx)
	return err
}

// source opens one version of a document for a renderer. The renderer first reads the
// whole document, in a stream that begins at offset 0. All bytes of that stream are
// passed to the digest.
type source struct {
	store  archive.Store
	info   archive.Info
	digest hash.Hash
}

// render writes the rendering of the document. If the last element of the document's key
// is the id of a parent, the document is about several tables and has another format.
func (s *source) render(ctx context.Context, w io.Writer, format string) error {
	several := api.IsParentID(path.Base(s.info.Key))
	switch {
	case several:
		return s.renderSet(ctx, w, format)
	case format == api.FormatCSV:
		return render.CSV(ctx, w, s.open)
	}
	return render.HTML(ctx, w, s.open)
}

func (s *source) renderSet(ctx context.Context, w io.Writer, format string) error {
	body, err := s.open(ctx, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	document, err := setfile.Read(body)
	if err != nil {
		return err
	}
	if format == api.FormatCSV {
		return render.SetCSV(w, document)
	}
	return render.SetHTML(w, document)
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

// missing returns the error for a document that cannot be opened.
func missing(err error, recorded task.Document) error {
	if fault.CodeOf(err) == fault.NotFound {
		return fault.Wrap(err, fault.NotFound, "the diff document %s is not in the archive any more", recorded.Key)
	}
	return err
}

// changed returns the error for a document whose SHA-256 is not the recorded one.
func changed(recorded task.Document, got string) error {
	return fault.New(fault.Invalid, "the diff document %s has the SHA-256 %s instead of the recorded %s: it was changed",
		recorded.Key, got, recorded.SHA256)
}
