package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/rs/zerolog"

	"ace/infra/testkit/minio"
	"ace/infra/testkit/pgserver"
	"ace/infra/testkit/scratch"
	"ace/shared/archive/s3"
)

// bucket is the bucket of all archives in MinIO.
const bucket = "torture"

// bed is what all runs use: the nodes, MinIO and the program.
type bed struct {
	dir    string
	binary string
	nodes  []*node
	minio  *minio.Server
	front  *front
	stop   []func() error // in reverse order
}

// newBed starts the nodes, and MinIO if one of the stores needs it. The caller must close
// the bed even if there is an error.
func newBed(ctx context.Context, binary string, stores []string) (*bed, error) {
	zerolog.SetGlobalLevel(zerolog.Disabled) // of the proxies
	b := &bed{binary: binary}
	var err error
	if b.dir, err = os.MkdirTemp(scratch.Root(), "ace-torture-"); err != nil {
		return b, err
	}
	b.stop = append(b.stop, func() error { return os.RemoveAll(b.dir) })
	installation, err := pgserver.Find(15)
	if err != nil {
		return b, err
	}
	for i := range nodeCount {
		n, err := startNode(ctx, installation, fmt.Sprintf("n%d", i+1))
		if err != nil {
			return b, err
		}
		b.nodes = append(b.nodes, n)
		b.stop = append(b.stop, n.close)
	}
	if slices.Contains(stores, storeMinIO) {
		return b, b.startMinIO(ctx)
	}
	return b, nil
}

func (b *bed) startMinIO(ctx context.Context) error {
	var stop func()
	var err error
	if b.minio, stop, err = minio.Launch(b.dir); err != nil {
		return err
	}
	b.stop = append(b.stop, func() error { stop(); return nil })
	o := b.minio.Options(bucket)
	if err := s3.EnsureBucket(ctx, o); err != nil {
		return err
	}
	if b.front, err = startFront(o.Endpoint); err != nil {
		return err
	}
	b.stop = append(b.stop, b.front.close)
	return nil
}

// close stops and removes everything.
func (b *bed) close() error {
	var errs []error
	for i := len(b.stop) - 1; i >= 0; i-- {
		errs = append(errs, b.stop[i]())
	}
	return errors.Join(errs...)
}
