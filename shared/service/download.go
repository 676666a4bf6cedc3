package service

import (
	"cmp"
	"context"
	"io"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
)

// recorded finds an archived object as it was recorded: what ("the diff document of task td_...") names it in errors.
// NotFound if it is gone, Internal if it has another size; other damage shows when it is read.
func (s *Service) recorded(ctx context.Context, what string, recorded task.Document) (archive.Info, error) {
	info, err := s.Store.Stat(ctx, recorded.Key)
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		return archive.Info{}, fault.New(fault.NotFound, "%s is not in the archive any more", what)
	case err == nil && info.Size != recorded.Size:
		return archive.Info{}, fault.New(fault.Internal, "%s has %d bytes instead of %d", what, info.Size, recorded.Size)
	}
	return info, err
}

// download gives an archived object to save under a file name. If its SHA-256 is known (sum is not empty), what was
// damaged is never given out whole.
func (s *Service) download(info archive.Info, sum, contentType, name string) *api.File {
	return &api.File{
		ContentType: contentType, Name: name, ETag: cmp.Or(sum, info.ETag), Size: info.Size, ModTime: info.LastModified,
		Open: func(ctx context.Context) (io.ReadSeekCloser, error) {
			if sum == "" {
				return archive.Open(ctx, s.Store, info), nil
			}
			return archive.OpenVerified(ctx, s.Store, info, sum)
		},
		Presign: func(ctx context.Context) (string, error) {
			return s.Store.Presign(ctx, info.Key, name, presignValid)
		},
	}
}
