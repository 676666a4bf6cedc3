package service

import (
	"context"
	"time"

	"ace/shared/api"
	"ace/shared/diffarchive"
	"ace/shared/fault"
	"ace/shared/task"
)

// presignValid is how long a link to a document works.
const presignValid = 5 * time.Minute

// Diff gives the document of a completed comparison back, as it is or rendered.
func (s *Service) Diff(ctx context.Context, req api.DiffRequest) (*api.File, error) {
	rec, err := s.Tasks.Get(ctx, req.TaskID)
	if err != nil {
		return nil, err
	}
	if rec.Document == nil {
		return nil, withoutDocument(rec)
	}
	info, err := s.recorded(ctx, "the diff document of task "+rec.TaskID, *rec.Document)
	if err != nil {
		return nil, err
	}
	sum, name, contentType := rec.Document.SHA256, rec.TaskID+"."+req.Format, diffarchive.ContentType(req.Format)
	if req.Format != api.FormatJSON { // nobody recorded the SHA-256 of a rendering, which can be made again
		if info, err = s.Renderings.Ensure(ctx, *rec.Document, req.Format); err != nil {
			return nil, notTheUsersFault(err)
		}
		sum = ""
	}
	return s.download(info, sum, contentType, name), nil
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
