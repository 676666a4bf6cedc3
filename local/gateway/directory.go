package gateway

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/versity/versitygw/backend/meta"

	"ace/shared/fault"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// lockDirectory makes the data directory if needed and takes its lock, which ends with the process at the latest.
func lockDirectory(dir string) (*os.File, error) {
	if err := makePrivate(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the data directory %s cannot be written", dir)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fault.New(fault.Conflict, "the data directory %s is in use: another ace serve is running on it", dir)
	}
	return nil, fault.Wrap(err, fault.Invalid, "the data directory %s cannot be locked; use a local filesystem", dir)
}

// prepareRoot makes the directory of the objects and sees to it that its filesystem can hold them.
func prepareRoot(root string) error {
	if err := makePrivate(root); err != nil {
		return err
	}
	return checkAttributes(root, meta.XattrMeta{})
}

func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return fault.Wrap(err, fault.Invalid, "the data directory %s cannot be made", dir)
	}
	if err := os.Chmod(dir, dirMode); err != nil {
		return fault.Wrap(err, fault.Invalid, "the data directory %s cannot be closed to other users", dir)
	}
	return nil
}

// attributes is the part of the backend's metadata store that is tried out.
type attributes interface {
	StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error
}

// checkAttributes writes an extended attribute to a file of its own: asking for one succeeds on some filesystems that
// cannot store any.
func checkAttributes(dir string, attrs attributes) error {
	f, err := os.CreateTemp(dir, ".attribute-check-")
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "the data directory %s cannot be written", dir)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer f.Close()
	if err := attrs.StoreAttribute(f, "", "", "check", []byte("1")); err != nil {
		return fault.Wrap(err, fault.Invalid, "the filesystem of %s has no extended attributes (user xattrs), which the embedded "+
			"object store needs: use ext4, xfs, btrfs or zfs, or set ACE_STORE to an S3 bucket", dir)
	}
	return nil
}
