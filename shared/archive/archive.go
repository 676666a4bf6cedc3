// Package archive declares the store of all durable state, a bucket accessed through the
// S3 protocol or a directory: the interface to it (Store), the errors of a Store, and the
// keys of all objects (keys.go).
//
// The package opens no connection and no file. The packages archive/s3 and
// archive/dirstore implement Store, and package archive/storetest is the suite of tests
// that every implementation must pass.
package archive

import (
	"context"
	"io"
	"time"

	"ace/shared/fault"
)

// Errors of a Store, to be matched with errors.Is. A call with invalid arguments or in
// the wrong order returns a fault with code Invalid or Internal. A read of damaged
// content returns a fault with code Internal. Any other error is a fault with code
// Unavailable.
var (
	// ErrNotFound: no object has this key.
	ErrNotFound = fault.New(fault.NotFound, "no such object in the archive")
	// ErrPrecondition: the condition of the call is not met. An object exists that must not
	// exist, or an object that must have a certain version has another version or does not
	// exist. Nothing was written.
	ErrPrecondition = fault.New(fault.Conflict, "the object in the archive was changed by another process")
)

// Info describes one version of an object.
type Info struct {
	Key  string
	Size int64 // bytes of the whole object, even if Info describes a range of it
	// ETag is opaque and has no quotes. Versions with different content have different
	// ETags.
	ETag        string
	ContentType string // the content type that was passed to the write; empty in listings
	// LastModified is by the store's clock. It is in whole seconds except in listings,
	// and zero in the result of a write.
	LastModified time.Time
	// Now is the store's clock when it responded (HTTP Date). It is in whole seconds and may
	// be one or two seconds old, so the LastModified of a new object can be after Now. Now
	// is zero in listings.
	Now time.Time
}

// Object is an open object. The caller must close Body. An error while reading it is a
// fault with code Unavailable, or Internal if the content is damaged.
type Object struct {
	Info
	Body io.ReadCloser
}

// Store is a directory, a bucket, or the part of a bucket below a prefix. All methods are
// safe for concurrent use. No method retries a write that the store refused because its
// condition was not met. A write is durable and visible to every reader when the call
// returns nil. After any error other than ErrPrecondition the write may or may not have
// happened. The caller can safely repeat a conditional write, but the repetition returns
// ErrPrecondition if the first write has happened.
type Store interface {
	// Get opens the newest version. It returns ErrNotFound if there is none.
	Get(ctx context.Context, key string) (Object, error)
	// GetRange opens length bytes from offset of the version with this ETag; length < 0
	// means up to the end. A range that extends beyond the end of the object is shortened,
	// and a range that begins at or after the end is empty. GetRange returns ErrPrecondition
	// if the object has another version by now, and ErrNotFound if it was deleted.
	GetRange(ctx context.Context, key, etag string, offset, length int64) (Object, error)
	// GetTail opens the last bytes of the newest version: length of them, which must be
	// positive, or all if there are fewer. It returns ErrNotFound if there is none.
	GetTail(ctx context.Context, key string, length int64) (Object, error)
	// Stat describes the newest version. It returns ErrNotFound if there is none.
	Stat(ctx context.Context, key string) (Info, error)
	// Put writes an object of at most a few MB. It replaces an object that already has the
	// key.
	Put(ctx context.Context, key, contentType string, body []byte) (Info, error)
	// PutIfAbsent writes an object only if the key has none. Of concurrent calls for one
	// key exactly one succeeds.
	PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (Info, error)
	// PutIfMatch replaces the version with this ETag. Of concurrent calls for one version
	// exactly one succeeds.
	PutIfMatch(ctx context.Context, key, contentType string, body []byte, etag string) (Info, error)
	// Create opens a stream of unknown length (up to about 78 GiB) for a key that has no
	// object yet. Nothing is visible before Commit, and only Commit checks that no object
	// has the key. The context must live until Commit.
	Create(ctx context.Context, key, contentType string) (Writer, error)
	// List calls fn for every object below prefix whose key is greater than after, in
	// ascending order of keys (by bytes), until fn returns false. An object that is
	// written or deleted meanwhile may or may not be listed.
	List(ctx context.Context, prefix, after string, fn func(Info) bool) error
	// Delete deletes an object. It is no error if no object has the key.
	Delete(ctx context.Context, key string) error
	// Presign returns a URL that downloads the object without credentials, and whose
	// response has the Content-Disposition header disposition. The URL is valid for the time
	// valid (1 s to 7 days). It is a secret as long as it is valid.
	Presign(ctx context.Context, key, disposition string, valid time.Duration) (string, error)
	// PresignPut returns a URL that accepts the object's content by PUT without credentials.
	// The URL is valid for the time valid (1 s to 7 days). It is a secret as long as it is
	// valid.
	PresignPut(ctx context.Context, key string, valid time.Duration) (string, error)
}

// Writer is a stream into one object, to be used by one goroutine. The caller must call
// Commit or Abort. Abort after Commit does nothing, so it may be deferred. A Commit that
// fails discards what was uploaded, as Abort does.
type Writer interface {
	io.Writer
	// Commit makes the object visible if no other object has the key. Otherwise it returns
	// ErrPrecondition.
	Commit(ctx context.Context) (Info, error)
	// Abort discards what was uploaded. It may be called after the context of Create has
	// ended.
	Abort()
}
