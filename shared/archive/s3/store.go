package s3

import (
	"context"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"ace/shared/archive"
	"ace/shared/fault"
)

// Store is a bucket, or the part of it below a prefix.
type Store struct {
	core      *minio.Core
	login     *credentials.Credentials
	bucket    string
	prefix    string
	place     string // describes the store in messages: "bucket B at ENDPOINT"
	region    string // the region, as in Options
	closeIdle func()
}

var _ archive.Store = (*Store)(nil)

// Open connects to an existing bucket. The error is Invalid if the options are
// inconsistent, Unavailable if the bucket does not exist or cannot be reached with these
// credentials.
func Open(ctx context.Context, opts Options) (*Store, error) {
	s, err := connect(opts)
	if err != nil {
		return nil, err
	}
	exists, err := s.bucketExists(ctx)
	if err == nil && !exists {
		err = fault.New(fault.Unavailable, "the archive (%s) does not exist: create the bucket or correct its name", s.place)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// EnsureBucket creates the bucket of the options unless it exists. It is for tests. Open
// does not create buckets, because in production an administrator must decide about their
// encryption and life cycle.
func EnsureBucket(ctx context.Context, opts Options) error {
	s, err := connect(opts)
	if err != nil {
		return err
	}
	defer s.Close()
	exists, err := s.bucketExists(ctx)
	if err != nil || exists {
		return err
	}
	err = s.core.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: opts.Region})
	if err != nil && minio.ToErrorResponse(err).Code != minio.BucketAlreadyOwnedByYou {
		return s.unavailable(err, "cannot create the bucket", "")
	}
	return nil
}

// Location returns the address of the store.
func (s *Store) Location() archive.Location {
	return archive.Location{Bucket: s.bucket, Prefix: strings.TrimSuffix(s.prefix, "/")}
}

// Close closes idle connections. The store must not be used afterwards.
func (s *Store) Close() { s.closeIdle() }

func connect(opts Options) (*Store, error) {
	endpoint, err := opts.endpoint()
	if err != nil {
		return nil, err
	}
	if err := opts.validate(); err != nil {
		return nil, err
	}

	secure := endpoint.Scheme == "https"
	transport, err := opts.transport(secure)
	if err != nil {
		return nil, err
	}

	login := opts.credentials()
	core, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds:        login,
		Secure:       secure,
		Transport:    clockTransport{transport},
		Region:       opts.Region,
		BucketLookup: opts.lookup(),
		MaxRetries:   1, // retry.go decides what may be repeated
	})
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the archive's endpoint %s cannot be used", endpoint.Host)
	}

	return &Store{
		core:      core,
		login:     login,
		bucket:    opts.Bucket,
		prefix:    opts.keyPrefix(),
		region:    opts.Region,
		place:     opts.place(endpoint),
		closeIdle: transport.CloseIdleConnections,
	}, nil
}

func (s *Store) bucketExists(ctx context.Context) (exists bool, err error) {
	err = retryIf(transient).Do(ctx, func() error {
		exists, err = s.core.BucketExists(ctx, s.bucket)
		return err
	})
	if hasNoReason(err) {
		exists, err = s.canList(ctx)
	}
	if err != nil {
		return false, s.unavailable(err, "cannot be opened", "")
	}
	return exists, nil
}

// canList reports whether the bucket exists by listing one object below the prefix. The
// response to a refused list request contains the reason, unlike the response to a
// refused HEAD request. A policy that permits access only below the prefix permits this
// list request too.
func (s *Store) canList(ctx context.Context) (exists bool, err error) {
	err = retryIf(transient).Do(ctx, func() error {
		return s.listPages(ctx, "", "", 1, func(archive.Info) bool { return false })
	})
	if hasCode(err, minio.NoSuchBucket) {
		return false, nil
	}
	return err == nil, err
}
