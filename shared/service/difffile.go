package service

import (
	"context"
	"io"
	"path"
	"strings"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/diffarchive"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/task"
)

// resolve returns the key, size and SHA-256 of the document that f names. The error is
// NotFound if there is no such document.
func (s *Service) resolve(ctx context.Context, f api.DiffFile) (task.Document, error) {
	if f.TaskID != "" {
		return s.documentOf(ctx, f.TaskID)
	}

	if f.Path != "" {
		return s.importFile(ctx, f.Path)
	}

	key := f.Key
	if f.Bucket != "" {
		var inside bool
		if key, inside = s.Location.Key(f.Bucket, f.Key); !inside {
			return task.Document{}, fault.New(fault.Invalid,
				"diff_file is %s, which is not in the archive %s: POST the document to /ace/diffs and use the diff_file of the answer", f, s.Location)
		}
	}

	if strings.HasPrefix(key, archive.ImportPrefix) {
		return s.imported(ctx, key)
	}

	recorded, err := s.documentOf(ctx, nameOf(key))
	if err == nil && recorded.Key != key {
		err = fault.New(fault.NotFound, "diff_file is %s, but the document of task %s is %s", f, nameOf(key), recorded.Key)
	}
	return recorded, err
}

// importFile imports the document in the file at path on this host, in the same way as
// Import imports the document in a request. If the file may not be read, is not a diff
// document or is too large, the error is Invalid and names the file.
func (s *Service) importFile(ctx context.Context, path string) (task.Document, error) {
	named := func(err error) error {
		if code := fault.CodeOf(err); code != fault.Invalid && code != fault.TooLarge {
			return err
		}
		return fault.Wrap(err, fault.Invalid, "diff_file is %.1000q: %s", path, fault.PublicMessage(err))
	}
	if s.Files == nil {
		return task.Document{}, named(fault.New(fault.Invalid, "functions read no files: POST the document to /ace/diffs and use the diff_file of the answer"))
	}

	file, err := s.Files.Open(path)
	if err != nil {
		return task.Document{}, named(err)
	}
	defer file.Close()

	document, err := s.importDocument(ctx, &bounded{file, s.MaxImport})
	if err != nil {
		return task.Document{}, named(err)
	}
	return document, nil
}

// bounded reads at most left bytes. If there are more, the error has the code TooLarge.
type bounded struct {
	io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.left+1)])
	b.left -= int64(n)
	if b.left < 0 {
		return 0, fault.New(fault.TooLarge, "the file is too large; the maximum is ACE_MAX_IMPORT_MB")
	}
	return n, err
}

// nameOf returns the name in the key of a document: a task id, or the SHA-256 of an
// imported document.
func nameOf(key string) string { return strings.TrimSuffix(path.Base(key), "."+api.FormatJSON) }

// documentOf returns the document of a task.
func (s *Service) documentOf(ctx context.Context, taskID string) (task.Document, error) {
	rec, err := s.task(ctx, taskID)
	if err != nil {
		return task.Document{}, err
	}
	if rec.Document == nil {
		return task.Document{}, withoutDocument(rec)
	}
	return *rec.Document, nil
}

func (s *Service) imported(ctx context.Context, key string) (task.Document, error) {
	info, err := s.Store.Stat(ctx, key)
	if fault.CodeOf(err) == fault.NotFound {
		return task.Document{}, fault.Wrap(err, fault.NotFound, "there is no imported document %s", key)
	}
	return task.Document{Key: key, Size: info.Size, SHA256: nameOf(key)}, err
}

// open returns the document that f names and its summary, and checks that the document is
// about the cluster, the database and the table in about. The summary of a document that
// another tool wrote (see difffile.Reader.Peer) is incomplete, so the task checks such a
// document again when it runs.
func (s *Service) open(ctx context.Context, f api.DiffFile, about diffarchive.Subject) (task.Document, difffile.Summary, error) {
	recorded, err := s.resolve(ctx, f)
	if err != nil {
		return recorded, difffile.Summary{}, err
	}
	d, err := diffarchive.Open(ctx, s.Store, recorded)
	if err != nil {
		return recorded, difffile.Summary{}, err
	}
	defer d.Close()
	return recorded, d.Summary(), about.Check(d.Summary())
}
