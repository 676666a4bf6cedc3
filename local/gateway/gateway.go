package gateway

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"ace/shared/archive/s3"
	"ace/shared/fault"
	"ace/shared/private"
)

const (
	bucket  = "ace"
	region  = "us-east-1"
	objects = "objects" // below the data directory

	startTimeout = 10 * time.Second // a start takes some 20 ms
)

// running guards the working directory, of which a process has one: a second gateway
// would change that of the first.
var running atomic.Bool //nolint:gochecknoglobals // it guards what the process has only one of

// Options say where the data is stored.
type Options struct {
	Dir string       // data directory, made when missing; may be relative
	Log *slog.Logger // nil: slog.Default
}

// Gateway is a running S3 server.
type Gateway struct {
	dir    string // absolute
	back   string // working directory before Start
	creds  credentials
	lock   *os.File
	server *server
	log    *slog.Logger

	released sync.Once
}

// Start brings the gateway up and makes its bucket. The context bounds the start, not the
// life, of the gateway. Errors: Conflict when the directory or the process has a gateway
// already, Invalid when the directory cannot be used.
func Start(ctx context.Context, opts Options) (*Gateway, error) {
	if opts.Dir == "" {
		return nil, fault.New(fault.Invalid, "the data directory %q cannot be used", opts.Dir)
	}
	dir, err := private.Resolve(opts.Dir)
	if err != nil {
		return nil, refused(err)
	}
	if opts.Log == nil {
		opts.Log = slog.Default()
	}

	g := &Gateway{dir: dir, log: opts.Log}
	if g.lock, err = lockDirectory(dir); err != nil {
		return nil, err
	}

	if !running.CompareAndSwap(false, true) {
		g.lock.Close()
		return nil, fault.New(fault.Conflict, "this process runs an embedded object store already: there can be only one")
	}

	if err := g.start(ctx); err != nil {
		if g.server != nil {
			_ = g.server.stop(context.WithoutCancel(ctx)) // What went wrong before matters more.
		}
		g.released.Do(g.release)
		return nil, err
	}
	g.log.InfoContext(ctx, "embedded object store is up", "directory", dir, "endpoint", g.Endpoint())
	return g, nil
}

func (g *Gateway) start(ctx context.Context) (err error) {
	if g.creds, err = loadCredentials(g.dir); err != nil {
		return err
	}
	root := filepath.Join(g.dir, objects)
	if err := prepareRoot(g.dir, root); err != nil {
		return err
	}

	if g.back, err = os.Getwd(); err != nil {
		return fault.Wrap(err, fault.Internal, "the working directory is unknown")
	}
	if err := ctx.Err(); err != nil {
		return stoppedEarly(err)
	}

	// From here to its first response versitygw cannot be stopped (it would continue to
	// listen), so the end of the context is checked only afterwards.
	up, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	if g.server, err = serve(up, root, g.creds, g.log); err != nil {
		return err
	}
	if err := s3.EnsureBucket(up, g.S3()); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return stoppedEarly(err)
	}
	return nil
}

func stoppedEarly(err error) error {
	return fault.Wrap(err, fault.Unavailable, "the embedded object store was stopped before it was up")
}

// Close stops the server when the requests in flight are done, and releases the directory
// and its lock. The context bounds the wait; the server itself gives up on slow requests
// after 10 s. Closing again does nothing.
func (g *Gateway) Close(ctx context.Context) error {
	if err := g.server.stop(ctx); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the embedded object store did not stop cleanly")
	}
	g.released.Do(g.release)
	return nil
}

// release releases what belongs to the process, as far as it was acquired. The server
// has ended.
func (g *Gateway) release() {
	if g.back != "" {
		if err := os.Chdir(g.back); err != nil {
			g.log.Warn("cannot go back to the former working directory", "directory", g.back, "error", err)
		}
	}
	running.Store(false)
	g.lock.Close()
}

// Endpoint is the URL of the S3 API.
func (g *Gateway) Endpoint() string { return "http://" + g.server.address }

// AccessKey is the name that requests are signed with.
func (g *Gateway) AccessKey() string { return g.creds.AccessKey }

// SecretKey is the key that requests are signed with.
func (g *Gateway) SecretKey() string { return g.creds.SecretKey }

// Bucket is the name of the one bucket.
func (g *Gateway) Bucket() string { return bucket }

// Region is the region that requests are signed for.
func (g *Gateway) Region() string { return region }

// S3 returns the options with which the archive opens the store.
func (g *Gateway) S3() s3.Options {
	return s3.Options{
		Endpoint:  g.Endpoint(),
		Region:    g.Region(),
		Bucket:    g.Bucket(),
		AccessKey: g.AccessKey(),
		SecretKey: g.SecretKey(),
		PathStyle: true,
	}
}
