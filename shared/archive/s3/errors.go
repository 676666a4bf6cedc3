package s3

import (
	"errors"
	"net/http"

	"github.com/minio/minio-go/v7"

	"ace/shared/archive"
	"ace/shared/fault"
)

// Codes that S3 servers use and minio-go does not define.
const (
	codeConditionalConflict = "ConditionalRequestConflict" // AWS: a concurrent write of the object was faster
	codeOperationAborted    = "OperationAborted"           // AWS: older name of ConditionalRequestConflict
	codeSlowDown            = "SlowDown"                   // the server refused the request before it processed it
	codeDirectoryInTheWay   = "ExistingObjectIsDirectory"  // an error of versitygw, see notApplied
)

// readError translates the error of a read, which may require a certain version of the
// object.
func (s *Store) readError(err error, key string) error {
	switch {
	case hasCode(err, minio.NoSuchKey):
		return archive.ErrNotFound
	case lostRace(err):
		return archive.ErrPrecondition
	}
	return s.unavailable(err, doingRead, key)
}

// createError translates the error of a write that requires that no object exists.
func (s *Store) createError(err error, key string) error {
	if lostRace(err) {
		return archive.ErrPrecondition
	}
	return s.writeIfError(err, key)
}

// replaceError translates the error of a write that requires a certain version. It
// returns ErrPrecondition also if the object no longer exists.
func (s *Store) replaceError(err error, key string) error {
	if lostRace(err) || hasCode(err, minio.NoSuchKey) {
		return archive.ErrPrecondition
	}
	return s.writeIfError(err, key)
}

// writeIfError translates the errors of conditional writes that createError and
// replaceError have in common.
func (s *Store) writeIfError(err error, key string) error {
	if isNotImplemented(err) {
		return s.unconditional(err)
	}
	return s.unavailable(err, doingWriteIf(err), key)
}

// doingWriteIf returns the text with which a message describes a conditional write that
// failed with err: doingWrite if the store refused the request, and otherwise inDoubt,
// because the store may have applied the write.
func doingWriteIf(err error) string {
	resp := minio.ToErrorResponse(err)
	if resp.Code != "" && (resp.StatusCode < http.StatusInternalServerError || resp.StatusCode == http.StatusInsufficientStorage) {
		return doingWrite
	}
	return inDoubt
}

// unavailable returns an error that is neither ErrNotFound nor ErrPrecondition as a fault
// with code Unavailable. doing describes the failed call, and key is the key of the
// object, or empty. If the store refused the credentials, they may have expired, and the
// file from which they were read may contain new credentials by now. So unavailable makes
// the next request read the credentials again.
func (s *Store) unavailable(err error, doing, key string) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	if minio.ToErrorResponse(err).StatusCode == http.StatusForbidden || hasCode(err, codeExpiredToken, codeInvalidToken) {
		s.login.Expire()
	}
	if key != "" {
		key = " " + key
	}
	return fault.Wrap(err, fault.Unavailable, "the archive (%s) %s%s%s", s.place, doing, key, s.hint(err))
}

// lostRace reports whether the store refused a write because its condition was not met.
// The status 409 alone does not mean this: versitygw also returns it for keys that it
// cannot store.
func lostRace(err error) bool {
	return minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed ||
		hasCode(err, minio.PreconditionFailed, codeConditionalConflict, codeOperationAborted)
}

func hasCode(err error, codes ...string) bool {
	got := minio.ToErrorResponse(err).Code
	for _, code := range codes {
		if got == code {
			return true
		}
	}
	return false
}
