// Package s3 implements archive.Store on a bucket with the S3 protocol: AWS S3 or
// MinIO, for example. It is the only package that uses minio-go.
//
// The package works with every server that supports If-Match and If-None-Match on
// PutObject and on CompleteMultipartUpload. If the store is busy or unreachable, the
// package retries requests that can be repeated safely (reads, deletes, unconditional
// writes, parts of a multipart upload). It retries a conditional write only if the store
// cannot have applied it. After a write whose response was lost, the store would refuse
// the repetition because of the first write, and the caller would wrongly conclude that
// another process wrote the object. So such a write fails with the code Unavailable,
// which means that it may or may not have happened.
//
// The package never creates a bucket by itself (see EnsureBucket), never holds more than
// two parts of a multipart upload in memory, and never puts a credential into an error.
package s3
