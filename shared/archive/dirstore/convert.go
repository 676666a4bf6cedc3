package dirstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Earlier versions of ACE stored objects through an S3 gateway (versitygw): the content
// of the object KEY in objects/ace/KEY, its content type in an extended attribute.
const (
	gatewayDir         = "objects"
	gatewayBucket      = "ace"
	gatewayUploads     = ".sgwtmp"   // unfinished uploads, in the bucket
	gatewayLocks       = ".vgwlocks" // in objects/
	gatewayCredentials = "credentials.json"
	gatewayType        = "user.content-type"
)

// gatewayDraft matches the name of a file that the gateway left when it ended while it
// replaced an object.
var gatewayDraft = regexp.MustCompile(`^\..*\.sgwtmp\.[0-9]+$`)

// conversion moves the objects of the gateway to their new places. It can be interrupted
// at any moment and repeated: an object is at its former place until its sum is durable,
// and is moved by a rename.
type conversion struct {
	*Store
	bucket string // directory of the objects
}

// convert converts a directory that an earlier version has written, if it is one.
func (s *Store) convert(ctx context.Context) error {
	c := conversion{s, filepath.Join(s.dir, gatewayDir, gatewayBucket)}
	if _, err := os.Lstat(c.bucket); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s.log.InfoContext(ctx, "the archive is of an earlier version and is converted", "directory", s.dir)

	err := c.walk(ctx, c.writeSum)
	if err == nil {
		err = c.syncAll() // the sums, and the contents, which the gateway did not sync
	}
	moved := 0
	if err == nil {
		err = c.walk(ctx, func(ctx context.Context, key, old string) error {
			moved++
			return c.move(ctx, key, old)
		})
	}
	if err == nil {
		err = c.syncAll()
	}
	if err == nil {
		err = c.removeRest()
	}
	if err != nil {
		return s.unusable(err)
	}
	s.log.InfoContext(ctx, "the archive was converted", "directory", s.dir, "objects", moved)
	return nil
}

func (c conversion) syncAll() error {
	c.at("convert sync")
	return unix.Syncfs(int(c.lock.Fd()))
}

// walk calls fn with each object that is at its former place.
func (c conversion) walk(ctx context.Context, fn func(ctx context.Context, key, old string) error) error {
	return filepath.WalkDir(c.bucket, func(old string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		switch {
		case err != nil:
			return err
		case old == filepath.Join(c.bucket, gatewayUploads):
			return fs.SkipDir
		case entry.IsDir() || gatewayDraft.MatchString(entry.Name()):
			return nil
		}
		key, err := filepath.Rel(c.bucket, old)
		if err != nil {
			return err
		}
		return fn(ctx, key, old)
	})
}

// writeSum writes the sum of an object to its new place, unless an object is there.
func (c conversion) writeSum(_ context.Context, key, old string) error {
	to, err := PathOf(key)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(c.objectFile(to)); !isMissing(err) {
		return err
	}
	hash, err := hashFile(old)
	if err != nil {
		return err
	}
	return c.replaceSum(to, sum{hash: hash, contentType: typeOf(key, old)})
}

// move moves an object to its new place. An object is already there if an older version
// was used again after a conversion. Then the object that was written later is the valid
// one.
func (c conversion) move(ctx context.Context, key, old string) error {
	to, err := PathOf(key)
	if err != nil {
		return err
	}
	there, err := os.Lstat(c.objectFile(to))
	if err == nil {
		return c.merge(ctx, key, old, there)
	}
	c.at("convert move")
	return os.Rename(old, c.objectFile(to))
}

func (c conversion) merge(ctx context.Context, key, old string, there fs.FileInfo) error {
	file, err := os.Open(old)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.ModTime().After(there.ModTime()) {
		w, err := c.create(ctx, key, typeOf(key, old), always)
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := io.Copy(w, file); err != nil {
			return err
		}
		if _, err := w.Commit(ctx); err != nil {
			return err
		}
	}
	c.at("convert merge")
	return os.Remove(old)
}

// removeRest deletes what the gateway wrote besides objects, and the directories that are
// empty now. It never deletes a file that it does not know.
func (c conversion) removeRest() error {
	objects := filepath.Join(c.dir, gatewayDir)
	var directories []string
	err := filepath.WalkDir(objects, func(old string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case old == filepath.Join(objects, gatewayLocks) || old == filepath.Join(c.bucket, gatewayUploads):
			if err := os.RemoveAll(old); err != nil {
				return err
			}
			return fs.SkipDir
		case entry.IsDir():
			directories = append(directories, old)
			return nil
		case gatewayDraft.MatchString(entry.Name()):
			return os.Remove(old)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(c.dir, gatewayCredentials)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.at("convert rest")
	for i := len(directories) - 1; i >= 0; i-- { // the deepest first
		if err := syscall.Rmdir(directories[i]); err != nil {
			c.log.Warn("a directory of an earlier version of the archive remains", "directory", directories[i], "error", err)
		}
	}
	return nil
}

// typeOf returns the content type that the gateway recorded. A copy of the directory may
// lack extended attributes; then the type follows from the key.
func typeOf(key, old string) string {
	text := make([]byte, 256)
	if n, err := syscall.Getxattr(old, gatewayType, text); err == nil && checkType(string(text[:n])) == nil {
		return string(text[:n])
	}
	switch {
	case strings.HasSuffix(key, ".json"):
		return "application/json"
	case path.Ext(key) == ".csv":
		return "text/csv; charset=utf-8"
	case path.Ext(key) == ".html":
		return "text/html; charset=utf-8"
	}
	return "application/octet-stream"
}

// hashFile returns the SHA-256 of a file in hexadecimal.
func hashFile(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
