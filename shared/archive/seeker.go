package archive

import (
	"context"
	"errors"
	"io"

	"ace/shared/fault"
)

// Open returns a reader with random access to the version of an object that info
// describes. It is for downloads of ranges. It fetches nothing before the first read. The
// context must live as long as the reader.
func Open(ctx context.Context, store Store, info Info) io.ReadSeekCloser {
	return &seeker{ctx: ctx, store: store, info: info}
}

// seeker reads an object from its current offset. A seek to another offset closes the
// open object, and the next read opens it again.
type seeker struct {
	ctx    context.Context //nolint:containedctx // io.Reader has no place for it; one reader serves one request
	store  Store
	info   Info
	offset int64
	body   io.ReadCloser
}

// Read reads from the current offset. It opens the object there if it is not open.
func (s *seeker) Read(p []byte) (int, error) {
	if s.offset >= s.info.Size {
		return 0, io.EOF
	}
	if s.body == nil {
		object, err := s.store.GetRange(s.ctx, s.info.Key, s.info.ETag, s.offset, -1)
		if err != nil {
			return 0, err
		}
		s.body = object.Body
	}
	n, err := s.body.Read(p)
	s.offset += int64(n)
	if errors.Is(err, io.EOF) && s.offset < s.info.Size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Seek sets the offset. It fetches nothing.
func (s *seeker) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += s.offset
	case io.SeekEnd:
		offset += s.info.Size
	default:
		return s.offset, fault.New(fault.Internal, "whence is %d, which io.Seeker does not define", whence)
	}
	if offset < 0 {
		return s.offset, fault.New(fault.Invalid, "the offset is before the beginning of %s", s.info.Key)
	}
	if offset != s.offset {
		_ = s.Close()
	}
	s.offset = offset
	return offset, nil
}

// Close closes the object if it is open.
func (s *seeker) Close() error {
	if s.body == nil {
		return nil
	}
	body := s.body
	s.body = nil
	return body.Close()
}
