// Package s3 implements archive.Store on a bucket with the S3 protocol: AWS S3 or
// MinIO, for example. It is the only package that uses minio-go.
//
// The package works with every server that supports If-Match and If-None-Match on
// PutObject and on CompleteMultipartUpload. Requests that can be repeated safely (reads,
// deletes, unconditional writes, parts of a multipart upload) are retried a few times if
// the store is busy or unreachable. A conditional write is retried only if the store
// cannot have applied it. If only the response was lost, the store would refuse the
// repetition because of the first write, and the caller would wrongly conclude that
// another process wrote the object. So a conditional write whose response was lost fails
// with the code Unavailable, which means that the write may or may not have happened.
//
// The package never creates a bucket by itself (see EnsureBucket), never holds more than
// two parts of a multipart upload in memory, and never puts a credential into an error.
package s3
