package usecase

import (
	"context"
	"io"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/document"
	"ace/shared/endpoint"
	"ace/shared/fault"
	"ace/shared/task"
)

// presignValid is how long a link to a document works.
const presignValid = 5 * time.Minute

// Diff gives the document of a completed comparison back, as it is or rendered.
func (s *Service) Diff(ctx context.Context, req api.DiffRequest) (*endpoint.File, error) {
	rec, err := s.Tasks.Get(ctx, req.TaskID)
	if err != nil {
		return nil, err
	}
	if rec.Document == nil {
		return nil, withoutDocument(rec)
	}
	info, err := s.Store.Stat(ctx, rec.Document.Key)
	if err != nil {
		if fault.CodeOf(err) == fault.NotFound {
			return nil, fault.New(fault.NotFound, "the diff document of task %s is not in the archive any more", rec.TaskID)
		}
		return nil, err
	}
	if info.Size != rec.Document.Size {
		return nil, fault.New(fault.Internal, "the diff document of task %s has %d bytes instead of %d", rec.TaskID, info.Size, rec.Document.Size)
	}
	etag := rec.Document.SHA256
	if req.Format != api.FormatJSON {
		if info, err = s.Renderings.Ensure(ctx, *rec.Document, req.Format); err != nil {
			return nil, notTheUsersFault(err)
		}
		etag = info.ETag
	}
	name := rec.TaskID + "." + req.Format
	return &endpoint.File{
		ContentType: document.ContentType(req.Format), Name: name, ETag: etag, Size: info.Size, ModTime: info.LastModified,
		Open: func(ctx context.Context) (io.ReadSeekCloser, error) { return archive.Open(ctx, s.Store, info), nil },
		Presign: func(ctx context.Context) (string, error) {
			return s.Store.Presign(ctx, info.Key, name, presignValid)
		},
	}, nil
}

// notTheUsersFault: a document that cannot be rendered was damaged in the archive, not asked for wrongly.
func notTheUsersFault(err error) error {
	if fault.CodeOf(err) == fault.Invalid {
		return fault.Wrap(err, fault.Internal, "%s", fault.PublicMessage(err))
	}
	return err
}

func withoutDocument(rec task.Record) error {
	if !rec.Status.Terminal() {
		return fault.New(fault.NotFound, "task %s is %s: it has no diff document yet", rec.TaskID, rec.Status)
	}
	return fault.New(fault.NotFound, "task %s ended %s: it has no diff document", rec.TaskID, rec.Status)
}
