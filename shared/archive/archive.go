// Package archive is the only memory of the system: a bucket reached through the S3 protocol. It declares what the
// rest of the code may ask of a bucket (Store), the errors it answers with, and where everything lies (keys.go).
//
// It holds no connection itself; package s3 below it is the implementation, storetest the suite that any
// implementation must pass.
package archive

import (
	"context"
	"io"
	"time"

	"ace/shared/fault"
)

// Errors of a Store. They are matched with errors.Is; everything else a Store returns is a fault with code Unavailable.
var (
	// ErrNotFound: no object has this key.
	ErrNotFound = fault.New(fault.NotFound, "no such object in the archive")
	// ErrPrecondition: PutIfAbsent found an object, or PutIfMatch another version (or none). Nothing was written.
	ErrPrecondition = fault.New(fault.Conflict, "the object in the archive was changed by somebody else")
)

// Info describes one version of an object.
type Info struct {
	Key          string
	Size         int64     // bytes of the whole object, also for a range of it
	ETag         string    // opaque, without quotes; differs between versions of different content
	ContentType  string    // as given when written; empty in listings
	LastModified time.Time // the store's clock; whole seconds but for listings; zero in the answer to a write
	// Now is the store's clock when it answered (HTTP Date), in whole seconds and possibly one or two behind, so that a
	// fresh object can have a LastModified after it. Zero in listings.
	Now time.Time
}

// Object is an open object. The caller closes Body; what goes wrong while reading it is a fault with code Unavailable.
type Object struct {
	Info
	Body io.ReadCloser
}

// Store is a bucket (or a prefix of one). All methods may be called concurrently; none retries a lost condition.
// A write is durable and visible to every reader when the call returns nil. When it returns an error other than
// ErrPrecondition the write may or may not have happened: conditions make repeating it safe.
type Store interface {
	// Get opens the newest version. ErrNotFound when there is none.
	Get(ctx context.Context, key string) (Object, error)
	// GetRange opens length bytes from offset of the version with this ETag (length < 0: up to the end). What lies
	// past the end is left out, so a range that begins there is empty. ErrPrecondition when the object has another
	// version by now, ErrNotFound when it is gone.
	GetRange(ctx context.Context, key, etag string, offset, length int64) (Object, error)
	// Stat describes the newest version. ErrNotFound when there is none.
	Stat(ctx context.Context, key string) (Info, error)
	// Put writes an object of at most a few MB, replacing what is there.
	Put(ctx context.Context, key, contentType string, body []byte) (Info, error)
	// PutIfAbsent writes an object only if the key has none. Of racing calls exactly one succeeds.
	PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (Info, error)
	// PutIfMatch replaces the version with this ETag. Of racing calls for one version exactly one succeeds.
	PutIfMatch(ctx context.Context, key, contentType string, body []byte, etag string) (Info, error)
	// Create opens a stream of unknown length (up to about 78 GiB) for a key that has no object yet. Nothing is visible
	// before Commit, and whether the key is free is looked at only then. The context must live until Commit.
	Create(ctx context.Context, key, contentType string) (Writer, error)
	// List calls fn for every object below prefix whose key is greater than after, in ascending order of keys (by
	// bytes), until fn returns false. An object that is written or deleted meanwhile may or may not be seen.
	List(ctx context.Context, prefix, after string, fn func(Info) bool) error
	// Delete removes an object; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// Presign gives a URL that downloads the object without credentials for this long (1 s to 7 days), under this file
	// name. The URL is a secret for as long as it is valid.
	Presign(ctx context.Context, key, fileName string, valid time.Duration) (string, error)
	// PresignPut gives a URL that takes the object's content by PUT, without credentials, for this long. It is as secret.
	PresignPut(ctx context.Context, key string, valid time.Duration) (string, error)
}

// Writer is a stream into one object, used by one goroutine. One of Commit and Abort must be called, once; Abort after
// Commit does nothing, so it may be deferred. A Commit that fails has given up what was uploaded, as Abort does.
type Writer interface {
	io.Writer
	// Commit makes the object visible if the key still has none, else ErrPrecondition.
	Commit(ctx context.Context) (Info, error)
	// Abort gives up and removes what was uploaded. It works after the context of Create has ended.
	Abort()
}
