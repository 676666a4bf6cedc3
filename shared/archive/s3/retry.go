package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
)

const (
	attempts  = 4
	firstWait = 100 * time.Millisecond
	maxWait   = time.Second
)

// retry calls fn until it succeeds, fails for a reason that again does not accept, or has failed a few times. Waits
// grow and are random, so that many workers do not come back at the same moment.
func retry(ctx context.Context, again func(error) bool, fn func() error) error {
	wait := firstWait
	for n := 1; ; n++ {
		err := fn()
		if err == nil || n == attempts || ctx.Err() != nil || !again(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
		wait = min(2*wait, maxWait)
	}
}

// transient accepts errors that may be gone the next time, for requests that may be carried out twice.
func transient(err error) bool {
	resp := minio.ToErrorResponse(err)
	switch {
	case resp.StatusCode >= http.StatusInternalServerError && resp.StatusCode != http.StatusNotImplemented:
		return true
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout:
		return true
	case resp.Code != "":
		return hasCode(err, minio.InternalError, codeSlowDown)
	}
	var cert *tls.CertificateVerificationError
	return !errors.As(err, &cert)
}

// unwritten accepts errors after which the store certainly has not carried out the request, for conditional writes: it
// was never reached, it turned the request away, or it failed to store the object. The latter is what servers that keep
// directories say when a simultaneous delete has just removed the emptied directory that they were about to write to:
// ExistingObjectIsDirectory (the embedded gateway) or AccessDenied (MinIO).
func unwritten(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	return hasCode(err, codeSlowDown, codeDirectoryInTheWay, minio.AccessDenied)
}

// uncreated is unwritten for writes that need no existing object: for them NoSuchKey can only mean that directory.
func uncreated(err error) bool { return unwritten(err) || hasCode(err, minio.NoSuchKey) }

// unput accepts what a plain put may be repeated after.
func unput(err error) bool { return transient(err) || uncreated(err) }
