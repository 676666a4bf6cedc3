package main

import (
	"context"
	"log/slog"
	"time"

	"ace/local/gateway"
	"ace/shared/app"
	"ace/shared/archive"
	"ace/shared/archive/s3"
	"ace/shared/config"
)

// probeTimeout bounds the check of the store at the start.
const probeTimeout = 30 * time.Second

// bucket is the open archive. gateway is the S3 server that stores the archive, or nil if
// the archive is not embedded.
type bucket struct {
	*s3.Store
	gateway *gateway.Gateway
}

// openStore opens the archive. It fails if the store does not have the guarantees that
// the service needs.
func openStore(ctx context.Context, c config.Store, log *slog.Logger) (*bucket, error) {
	b := &bucket{}
	options := app.BucketOptions(c)
	if c.Embedded {
		var err error
		if b.gateway, err = gateway.Start(ctx, gateway.Options{Dir: c.Dir, Log: log}); err != nil {
			return nil, err
		}
		options = b.gateway.S3()
	}
	if err := b.open(ctx, options); err != nil {
		b.close(context.WithoutCancel(ctx))
		return nil, err
	}
	return b, nil
}

func (b *bucket) open(ctx context.Context, options s3.Options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if b.Store, err = s3.Open(ctx, options); err != nil {
		return err
	}
	return archive.Probe(ctx, b.Store)
}

// close ends the connections and the gateway.
func (b *bucket) close(ctx context.Context) {
	if b.Store != nil {
		b.Store.Close()
	}
	if b.gateway != nil {
		_ = b.gateway.Close(ctx)
	}
}
