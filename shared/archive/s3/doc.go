// Package s3 keeps the archive in a bucket behind the S3 protocol: AWS S3, MinIO, or the gateway that `ace serve` embeds.
// It is the only package that knows minio-go.
//
// It promises what archive.Store says, on any server that honours If-Match and If-None-Match on PutObject and on
// CompleteMultipartUpload. Requests that change nothing when repeated (reads, deletes, plain puts, parts of a stream)
// are repeated a few times when the store is busy or out of reach. A conditional write is repeated only if the store
// cannot have carried it out: after a lost answer a repetition could report a lost race to the writer who in truth won
// it. Such a write ends as Unavailable, "may or may not have happened".
//
// It never creates a bucket on its own (see EnsureBucket), never holds more than one part of a stream in memory, and
// never puts a credential into an error.
package s3
