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

// stat returns the archive's info about the object recorded.Key. what names the object in
// errors, such as "the diff document of task td_...". The error is NotFound if the object
// does not exist any more, and Internal if its size is not recorded.Size. Other damage is
// detected when the object is read.
func (s *Service) stat(ctx context.Context, what string, recorded task.Document) (archive.Info, error) {
	info, err := s.Store.Stat(ctx, recorded.Key)
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		return archive.Info{}, fault.New(fault.NotFound, "%s is no longer in the archive", what)
	case err == nil && info.Size != recorded.Size:
		return archive.Info{}, fault.New(fault.Internal, "the archive is damaged: the size of %s is %d bytes instead of %d", what, info.Size, recorded.Size)
	}
	return info, err
}

// download returns an archived object as a file called name. sum is the object's SHA-256,
// or empty if it is not known. If sum is not empty, the download of a damaged object
// fails before its last byte.
func (s *Service) download(info archive.Info, sum, contentType, name string) *api.File {
	file := &api.File{
		ContentType: contentType, Name: name, ETag: cmp.Or(sum, info.ETag), Size: info.Size, ModTime: info.LastModified,
		Open: func(ctx context.Context) (io.ReadSeekCloser, error) {
			if sum == "" {
				return archive.Open(ctx, s.Store, info), nil
			}
			return archive.OpenVerified(ctx, s.Store, info, sum)
		},
	}
	file.Presign = func(ctx context.Context) (string, error) {
		return s.Store.Presign(ctx, info.Key, file.Disposition(), presignValid)
	}
	return file
}
