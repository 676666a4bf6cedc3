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

// halfReplaced matches the name of the temporary file that the backend creates next to an
// object while it replaces the object. A crash during the replacement leaves this file.
var halfReplaced = regexp.MustCompile(`^\..*\.sgwtmp\.[0-9]+$`)

// copyBuffer is the size of a request's copy buffer, in bytes. The default of the backend
// is a megabyte, which is much more than most objects need.
const copyBuffer = 64 << 10

// directory is the POSIX backend, except that its listings show objects only, without
// temporary files.
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

// ListObjectsV2 lists objects. It is the only listing request that the archive uses.
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
