//go:build !unit

package diffindex_test

import (
	"testing"

	"ace/infra/testkit/minio"
	"ace/shared/archive"
)

// MinIO is a real server among the stores that onEveryStore uses.
var _ = func() bool {
	stores["MinIO"] = func(t testing.TB) archive.Store { return minio.Start(t).Store(t) }
	return true
}()
