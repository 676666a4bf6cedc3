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
	objects = "objects" // the directory of the objects, below the data directory

	startTimeout = 10 * time.Second // a start usually takes 20 ms
)

// running is true while the process has a gateway. A second gateway must not be started,
// because it would change the working directory of the process, which must remain the
// directory of the first gateway's objects.
var running atomic.Bool //nolint:gochecknoglobals // a process has only one working directory

// Options are the options of Start.
type Options struct {
	Dir string       // data directory; it is created if it does not exist, and may be relative
	Log *slog.Logger // nil: slog.Default
}

// Gateway is a running S3 server.
type Gateway struct {
	dir    string // data directory, as an absolute path
	back   string // the working directory of the process before Start, to which Close returns
	creds  credentials
	lock   *os.File
	server *server
	log    *slog.Logger

	released sync.Once
}

// Start starts the gateway and creates its bucket. The gateway continues to run after the
// context has ended. The error is Conflict if the directory or the process already has a
// gateway, and Invalid if the directory cannot be used.
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
			_ = g.server.stop(context.WithoutCancel(ctx)) // Start returns the first error
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

	// If versitygw is stopped before its first response, it continues to listen. So the
	// end of ctx is checked only after that response.
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

// Close waits for the running requests, stops the server, and releases the directory and
// its lock. The wait ends at the latest when the context ends. The server itself ends
// slow requests after 10 s. A second call does nothing.
func (g *Gateway) Close(ctx context.Context) error {
	if err := g.server.stop(ctx); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the embedded object store did not stop cleanly")
	}
	g.released.Do(g.release)
	return nil
}

// release restores the working directory, if Start has recorded it in back, and releases
// the lock. The server must have ended or must not have been started.
func (g *Gateway) release() {
	if g.back != "" {
		if err := os.Chdir(g.back); err != nil {
			g.log.Warn("cannot go back to the former working directory", "directory", g.back, "error", err)
		}
	}
	running.Store(false)
	g.lock.Close()
}

// Endpoint returns the URL of the S3 API.
func (g *Gateway) Endpoint() string { return "http://" + g.server.address }

// AccessKey returns the id of the key with which requests are signed.
func (g *Gateway) AccessKey() string { return g.creds.AccessKey }

// SecretKey returns the key with which requests are signed.
func (g *Gateway) SecretKey() string { return g.creds.SecretKey }

// Bucket returns the name of the gateway's only bucket.
func (g *Gateway) Bucket() string { return bucket }

// Region returns the region for which requests are signed.
func (g *Gateway) Region() string { return region }

// S3 returns the options with which ACE opens the archive in this gateway.
func (g *Gateway) S3() s3.Options {
	return s3.Options{
		Endpoint:  g.Endpoint(),
		Region:    g.Region(),
		Bucket:    g.Bucket(),
		AccessKey: g.AccessKey(),
		SecretKey: g.SecretKey(),
		PathStyle: true,
		Place:     "directory " + g.dir,
	}
}
