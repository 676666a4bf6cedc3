package archive

import (
	"time"

	"ace/shared/fault"
)

// The reasons for a failed write, and what to do about them, in the messages of a Store.
const (
	HintNoSpace = "there is no space left: free space there, delete old tasks with ACE_RETENTION_DAYS, or move the archive"
	HintQuota   = "the quota is used up: increase it, or delete old tasks with ACE_RETENTION_DAYS"
)

// Limits of the time for which a link is valid, as in S3.
const (
	minValid = time.Second
	maxValid = 7 * 24 * time.Hour
)

// The functions below check the arguments of the methods of a Store. Each returns nil or
// a fault with code Invalid.

// CheckRange checks the arguments of GetRange.
func CheckRange(key, etag string, offset int64) error {
	if offset < 0 || etag == "" {
		return fault.New(fault.Invalid, "a range of %s needs an ETag and an offset of at least 0, not %d", key, offset)
	}
	return nil
}

// CheckTail checks the arguments of GetTail.
func CheckTail(key string, length int64) error {
	if length < 1 {
		return fault.New(fault.Invalid, "the tail of %s needs a length of at least 1 byte, not %d", key, length)
	}
	return nil
}

// CheckMatch checks the ETag that PutIfMatch requires.
func CheckMatch(key, etag string) error {
	if etag == "" {
		return fault.New(fault.Invalid, "a replacement of %s needs the ETag of the version to replace", key)
	}
	return nil
}

// CheckValid checks the time for which a link of Presign or PresignPut is to be valid.
func CheckValid(valid time.Duration) error {
	if valid < minValid || valid > maxValid {
		return fault.New(fault.Invalid, "a link can be valid for %s to %s, not for %s", minValid, maxValid, valid)
	}
	return nil
}

// EndedError returns the error of a Writer that is used after Commit or Abort, a fault
// with code Internal.
func EndedError(key string) error {
	return fault.New(fault.Internal, "the stream to %s was already committed or aborted", key)
}
