package minio

import (
	"context"
	"strings"

	"github.com/minio/minio-go/v7"
)

// Keys returns the keys of all objects of a bucket below a prefix, without the prefix. An
// upload that was never completed is returned as "unfinished upload " and its key.
func (s *Server) Keys(ctx context.Context, bucket, prefix string) (keys []string, err error) {
	c, err := client(s.Options(bucket))
	if err != nil {
		return nil, err
	}
	for object := range c.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if object.Err != nil {
			return nil, object.Err
		}
		keys = append(keys, strings.TrimPrefix(object.Key, prefix))
	}
	for upload := range c.ListIncompleteUploads(ctx, bucket, prefix, true) {
		if upload.Err != nil {
			return nil, upload.Err
		}
		keys = append(keys, "unfinished upload "+upload.Key)
	}
	return keys, nil
}
