package gateway

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/versity/versitygw/backend/meta"

	"ace/shared/fault"
	"ace/shared/private"
)

const (
	dirMode  = 0o700
	fileMode = 0o600

	lockFile = "lock"
)

// lockDirectory creates the data directory if it does not exist and acquires its lock,
// which the operating system releases when the process ends.
func lockDirectory(dir string) (*os.File, error) {
	if err := refused(private.Directory(dir)); err != nil {
		return nil, err
	}
	f, err := private.Open(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, refused(err)
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

// prepareRoot creates root, the directory of the objects in the data directory dir. It
// checks that no other user can have created anything in root, and that the file system
// of root can store objects.
func prepareRoot(dir, root string) error {
	if err := refused(private.Directory(root)); err != nil {
		return err
	}
	if err := refused(checkObjects(dir, root)); err != nil {
		return err
	}
	return checkAttributes(root, meta.XattrMeta{})
}

// checkedState is the extended attribute of the lock file that contains the state of the
// data directory (private.State) at the time when all objects were checked.
const checkedState = "user.ace.checked"

// checkObjects checks the owner and mode of every object. An archive may have millions of
// objects, so checkObjects does this only once: as long as the data directory is
// inaccessible to other users, they cannot change an object. It checks all objects again
// only if the data directory was moved, changed or made accessible since.
func checkObjects(dir, root string) error {
	lock := filepath.Join(dir, lockFile)
	state, err := private.State(dir)
	if err != nil {
		return err
	}
	known := make([]byte, len(state))
	if n, err := syscall.Getxattr(lock, checkedState, known); err == nil && string(known[:n]) == state {
		return nil
	}
	if err := private.Tree(root); err != nil {
		return err
	}
	_ = syscall.Setxattr(lock, checkedState, []byte(state), 0) // if this fails, the next start checks all objects again
	return nil
}

// refused returns err, an error of package private, with "the data directory cannot be
// used" before its message. It returns nil for nil.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.CodeOf(err), "the data directory cannot be used: %s", fault.PublicMessage(err))
}

// attributes has the method of the backend's metadata store that checkAttributes calls.
type attributes interface {
	StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error
}

// checkAttributes checks that the file system of dir can store extended attributes. It
// writes an attribute to a temporary file, because reading an attribute succeeds even on
// some file systems that cannot store attributes.
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

// Exists reports whether dir contains an archive, and whether the directory dir exists.
// It changes nothing.
func Exists(dir string) (archive, directory bool, err error) {
	if directory, err = exists(dir); err != nil || !directory {
		return false, false, err
	}
	archive, err = exists(filepath.Join(dir, lockFile))
	return archive, directory, err
}

func exists(path string) (bool, error) {
	switch _, err := os.Stat(path); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, fault.New(fault.Invalid, "the data directory cannot be used: %v", err)
	}
}
