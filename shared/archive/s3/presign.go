package s3

import (
	"context"
	"net/url"
	"time"

	"ace/shared/archive"
)

// Presign implements archive.Store. With the credentials of an AWS role, the link is not
// valid longer than the role's session.
func (s *Store) Presign(ctx context.Context, key, disposition string, valid time.Duration) (string, error) {
	if err := archive.CheckValid(valid); err != nil {
		return "", err
	}
	query := url.Values{"response-content-disposition": {disposition}}
	u, err := s.core.PresignedGetObject(ctx, s.bucket, s.prefix+key, valid, query)
	if err != nil {
		return "", s.unavailable(err, "cannot sign a download link for", key)
	}
	return u.String(), nil
}

// PresignPut implements archive.Store.
func (s *Store) PresignPut(ctx context.Context, key string, valid time.Duration) (string, error) {
	if err := archive.CheckValid(valid); err != nil {
		return "", err
	}
	u, err := s.core.PresignedPutObject(ctx, s.bucket, s.prefix+key, valid)
	if err != nil {
		return "", s.unavailable(err, "cannot sign an upload link for", key)
	}
	return u.String(), nil
}
