package s3

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"ace/shared/retry"
)

// tries is the maximum number of times that a request is sent.
const tries = 4

// retryIf returns the policy that repeats a request if it fails with an error for which
// retryable returns true. The waits between the tries are random, so that many workers do
// not repeat their requests at the same moment.
func retryIf(retryable func(error) bool) retry.Policy {
	return retry.Policy{
		Backoff:   retry.Backoff{First: 100 * time.Millisecond, Max: time.Second, Jitter: true},
		Tries:     tries,
		Retryable: retryable,
	}
}

// transient reports whether a request that failed with err may succeed if it is repeated.
// It is for requests that the store may carry out twice without harm.
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

// notApplied reports whether err proves that the store did not carry out a conditional
// write: the store was not reached, it refused the request, or it failed to store the
// object. The last case occurs on servers that store objects as files: a concurrent
// delete removes an empty directory to which the server was about to write. The error is
// then ExistingObjectIsDirectory (versitygw) or AccessDenied (MinIO).
func notApplied(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	return hasCode(err, codeSlowDown, codeDirectoryInTheWay, minio.AccessDenied)
}

// retryableCreate reports whether a write that does not replace a certain version (Put,
// PutIfAbsent, Commit) may be repeated after err. For such a write NoSuchKey can only
// mean that a concurrent delete has removed the directory, as described at notApplied.
func retryableCreate(err error) bool { return notApplied(err) || hasCode(err, minio.NoSuchKey) }

// retryablePut reports whether an unconditional write may be repeated after err.
func retryablePut(err error) bool { return transient(err) || retryableCreate(err) }
