package main

import (
	"context"
	"log/slog"
	"time"

	"ace/shared/app"
	"ace/shared/archive"
	"ace/shared/archive/dirstore"
	"ace/shared/archive/s3"
	"ace/shared/config"
	"ace/shared/invoke"
)

// probeTimeout bounds the check of the store at the start.
const probeTimeout = 30 * time.Second

// store is the open archive.
type store struct {
	archive.Store
	location archive.Location
	writable func() error // returns the error after which the store accepts no more writes
	// snapshot takes a snapshot for a backup. It is nil if the archive is a bucket.
	snapshot func(ctx context.Context) (app.Snapshot, error)
	close    func() error
}

// openStore opens the archive. It fails if the store does not have the guarantees that
// the service needs.
func openStore(ctx context.Context, c config.Store, log *slog.Logger) (*store, error) {
	open := openBucket
	if c.Embedded {
		open = openDirectory
	}
	s, err := open(ctx, c, log)
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := archive.Probe(ctx, s.Store); err != nil {
		_ = s.close()
		return nil, err
	}
	return s, nil
}

// starter is the queue of a service. It accepts no task while the store accepts no
// writes.
type starter struct {
	*invoke.Queue
	writable func() error
}

// Accepts implements service.Starter.
func (s starter) Accepts() error {
	if err := s.writable(); err != nil {
		return err
	}
	return s.Queue.Accepts()
}

func openDirectory(ctx context.Context, c config.Store, log *slog.Logger) (*store, error) {
	dir, err := dirstore.Open(ctx, dirstore.Options{Dir: c.Dir, Log: log})
	if err != nil {
		return nil, err
	}
	return &store{
		Store: dir, location: dir.Location(), writable: dir.Writable, close: dir.Close,
		snapshot: func(ctx context.Context) (app.Snapshot, error) {
			snapshot, err := dir.Snapshot(ctx)
			if err != nil {
				return nil, err // and not a nil pointer in an interface
			}
			return snapshot, nil
		},
	}, nil
}

func openBucket(ctx context.Context, c config.Store, _ *slog.Logger) (*store, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	bucket, err := s3.Open(ctx, app.BucketOptions(c))
	if err != nil {
		return nil, err
	}
	return &store{Store: bucket, location: bucket.Location(), writable: func() error { return nil }, close: func() error {
		bucket.Close()
		return nil
	}}, nil
}
