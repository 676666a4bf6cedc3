package service

import (
	"context"
	"time"

	"ace/shared/api"
	"ace/shared/diffarchive"
	"ace/shared/fault"
	"ace/shared/setdiff"
	"ace/shared/setfile"
	"ace/shared/task"
)

// presignValid is how long a presigned URL of a document is valid.
const presignValid = 5 * time.Minute

// Diff returns the document of a completed comparison, or a rendering of it. A browser
// shows the HTML rendering, unless the request asks for a download.
func (s *Service) Diff(ctx context.Context, req api.DiffRequest) (*api.File, error) {
	rec, err := s.task(ctx, req.TaskID)
	if err != nil {
		return nil, err
	}

	if rec.Document == nil {
		return nil, withoutDocument(rec)
	}

	info, err := s.stat(ctx, "the diff document of task "+rec.TaskID, *rec.Document)
	if err != nil {
		return nil, err
	}

	sum := rec.Document.SHA256
	if req.Format != api.FormatJSON { // no SHA-256 is recorded for a rendering, because the document can be rendered again
		if info, err = s.Renderings.Ensure(ctx, *rec.Document, req.Format); err != nil {
			return nil, damaged(err)
		}
		sum = ""
	}

	file := s.download(info, sum, diffarchive.ContentType(req.Format), rec.TaskID+"."+req.Format)
	file.Leads = rec.Type.IsSet()
	file.Inline = req.Format == api.FormatHTML && !req.Download
	return file, nil
}

// SetDocument returns the document of a comparison of several tables. If the task has no
// document, or the archive does not have it any more, the error has the code NotFound. If
// the document is damaged, the code is Internal.
func (s *Service) SetDocument(ctx context.Context, taskID string) (setfile.Document, error) {
	rec, err := s.task(ctx, taskID)
	if err != nil {
		return setfile.Document{}, err
	}
	if rec.Document == nil {
		return setfile.Document{}, withoutDocument(rec)
	}

	_, document, err := setdiff.ReadDocument(ctx, s.Store, rec.Document.Key)
	if err != nil {
		return setfile.Document{}, fault.Wrap(err, fault.CodeOf(err), "the diff document of task %s, %s, cannot be read: %s",
			rec.TaskID, rec.Document.Key, fault.PublicMessage(err))
	}
	return document, nil
}

// damaged converts an Invalid error of a rendering to Internal, because the archived
// document is damaged and the request is valid.
func damaged(err error) error {
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
