package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"ace/infra/testbed"
	"ace/infra/testkit/minio"
	"ace/infra/testkit/scratch"
	"ace/shared/archive"
	"ace/shared/archive/dirstore"
	"ace/shared/archive/s3"
)

// The values of the flag -store.
const (
	storeDir   = "dir"
	storeMinIO = "minio"
)

const (
	clusterName = "load"
	bucket      = "load"
	bigTable    = "public.big"
	smallTables = 10 // public.t0 and so on, of 100 rows
)

// bed has what all parts use: two nodes, the archive and the service.
type bed struct {
	options
	dir     string
	nodes   *testbed.Nodes
	minio   *minio.Server
	service *service // nil if none runs
	stop    []func() error
}

// newBed starts the nodes and MinIO. The caller must close the bed even if there is an
// error.
func newBed(ctx context.Context, o options) (*bed, error) {
	b := &bed{options: o}
	var err error
	if b.dir, err = os.MkdirTemp(scratch.Root(), "ace-load-"); err != nil {
		return b, err
	}
	b.stop = append(b.stop, func() error { return os.RemoveAll(b.dir) })
	b.nodes, err = testbed.StartNodes(ctx, 2, map[string]string{"log_line_prefix": "%a|"})
	b.stop = append(b.stop, b.nodes.Close)
	if err != nil {
		return b, err
	}
	if err := testbed.Define(testbed.Clusters(b.dir), clusterName, b.nodes.Ports()); err != nil {
		return b, err
	}
	sql := fmt.Sprintf("CREATE TABLE big AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, %d) i; ALTER TABLE big ADD PRIMARY KEY (id);", o.rows)
	for n := range smallTables {
		sql += fmt.Sprintf("CREATE TABLE t%d AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 100) i; ALTER TABLE t%d ADD PRIMARY KEY (id);", n, n)
	}
	if _, err := b.nodes.All(ctx, "-c", sql+"ANALYZE"); err != nil {
		return b, err
	}
	if o.store == storeMinIO {
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
	return s3.EnsureBucket(ctx, b.minio.Options(bucket))
}

// archiveURL returns the value of ACE_STORE.
func (b *bed) archiveURL() string {
	if b.minio == nil {
		return "file://" + filepath.Join(b.dir, "archive")
	}
	o := b.minio.Options(bucket)
	return fmt.Sprintf("s3://%s?endpoint=%s&region=%s", o.Bucket, o.Endpoint, o.Region)
}

// open opens the archive. If it is a directory, no service may run. The caller must call
// the returned function at the end.
func (b *bed) open(ctx context.Context) (archive.Store, func() error, error) {
	if b.minio != nil {
		store, err := s3.Open(ctx, b.minio.Options(bucket))
		if err != nil {
			return nil, nil, err
		}
		return store, func() error { store.Close(); return nil }, nil
	}
	store, err := dirstore.Open(ctx, dirstore.Options{Dir: filepath.Join(b.dir, "archive")})
	if err != nil {
		return nil, nil, err
	}
	return store, store.Close, nil
}

// close stops and removes everything.
func (b *bed) close() error {
	errs := []error{b.end()}
	for i := len(b.stop) - 1; i >= 0; i-- {
		errs = append(errs, b.stop[i]())
	}
	return errors.Join(errs...)
}
