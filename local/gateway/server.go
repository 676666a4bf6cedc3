package gateway

import (
	"context"
	"log/slog"
	"net"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/debuglogger"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"

	"ace/shared/fault"
)

const (
	maxConnections = 1024
	maxRequests    = 512
	maxParts       = 10000
	portAttempts   = 5
)

// server is a running versitygw.
type server struct {
	address string
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // the error with which the server ended; read it only after done is closed
}

// serve starts versitygw and waits until it listens. versitygw cannot select a port
// itself, so serve finds a free port first. If another process takes the port before
// versitygw listens, serve tries another port.
func serve(ctx context.Context, root string, creds credentials, log *slog.Logger) (*server, error) {
	var last error
	for range portAttempts {
		address, err := freeAddress(ctx)
		if err != nil {
			return nil, err
		}
		s, err := run(ctx, root, address, creds, log)
		if err == nil {
			return s, nil
		}
		last = err
	}
	return nil, last
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fault.Wrap(err, fault.Unavailable, "no free port on 127.0.0.1 for the embedded object store")
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func run(ctx context.Context, root, address string, creds credentials, log *slog.Logger) (*server, error) {
	backend, err := newBackend(root)
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &server{address: address, cancel: cancel, done: make(chan struct{})}
	listening := make(chan struct{})
	cfg := config(address, creds, func() { close(listening) })
	go func() {
		defer close(s.done)
		s.err = embedgw.RunVersityGW(life, backend, cfg)
		if s.err != nil {
			log.Error("the embedded object store ended", "error", s.err)
		}
	}()
	select {
	case <-listening:
		return s, nil
	case <-s.done:
		cancel()
		return nil, fault.Wrap(s.err, fault.Unavailable, "the embedded object store cannot listen on %s", address)
	}
}

// stop ends the server and returns its error. It may be called more than once.
func (s *server) stop(ctx context.Context) error {
	s.cancel()
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// config returns the configuration of versitygw. It contains a complete account, because
// versitygw would print the keys of an account that it creates itself.
func config(address string, creds credentials, onListen func()) *embedgw.Config {
	return &embedgw.Config{
		RootUserAccess:    creds.AccessKey,
		RootUserSecret:    creds.SecretKey,
		Region:            region,
		Ports:             []string{address},
		MaxConnections:    maxConnections,
		MaxRequests:       maxRequests,
		MultipartMaxParts: maxParts,
		KeepAlive:         true,
		Quiet:             true,
		LogLevel:          debuglogger.LevelSilent,
		IAMService: auth.NewIAMServiceSingle(auth.Account{
			Access: creds.AccessKey,
			Secret: creds.SecretKey,
			Role:   auth.RoleAdmin,
		}),
		S3Options: []s3api.Option{s3api.WithOnListen(onListen)},
	}
}
