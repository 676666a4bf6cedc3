package gateway

import (
	"context"
	"io/fs"
	"path"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3response"

	"ace/shared/fault"
)

// halfReplaced matches the file that the backend links next to an object while it
// replaces it. After a crash in that moment it stays.
var halfReplaced = regexp.MustCompile(`^\..*\.sgwtmp\.[0-9]+$`)

// copyBuffer is the size of a request's copy buffer, in bytes. Most objects are small:
// the backend's own buffer of a megabyte would cost more than they do.
const copyBuffer = 64 << 10

// directory is the POSIX backend, with listings that show objects only.
type directory struct{ *posix.Posix }

func newBackend(root string) (*directory, error) {
	var opts posix.PosixOpts
	opts.SetNewDirPerm(dirMode)
	opts.SetNewFilePerm(fileMode)
	opts.IOBufferSize = copyBuffer
	p, err := posix.New(root, meta.XattrMeta{}, opts)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the data directory %s cannot be opened", root)
	}
	return &directory{p}, nil
}

// ListObjectsV2 is the only listing that the archive uses.
func (d *directory) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	return d.ListObjectsV2Parametrized(ctx, in, d.describe)
}

func (d *directory) describe(bucket string, owner bool) backend.GetObjFunc {
	describe := d.FileToObj(bucket, owner)
	return func(name string, entry fs.DirEntry) (s3response.Object, error) {
		if halfReplaced.MatchString(path.Base(name)) {
			return s3response.Object{}, backend.ErrSkipObj
		}
		return describe(name, entry)
	}
}
