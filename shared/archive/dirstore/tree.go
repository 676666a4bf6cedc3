package dirstore

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// createFile creates a file that is inaccessible to others. It fails if the path exists,
// also if it is a link. So the checks of private.Open are not needed, and the error is
// that of the operating system: it may pass, unlike the errors of private.Open.
func createFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
}

// makeParents creates the directories of the files of an object.
func (s *Store) makeParents(path string) error {
	s.shape.RLock()
	defer s.shape.RUnlock()
	return s.mkdirs(path)
}

func (s *Store) mkdirs(path string) error {
	for _, file := range []string{s.sumFile(path), s.objectFile(path)} {
		if err := os.MkdirAll(filepath.Dir(file), dirMode); err != nil {
			return err
		}
	}
	return nil
}

// replace moves the content and the sum of an object, which are in tmp/, to their places.
func (s *Store) replace(path, name, sumName string) error {
	s.shape.RLock()
	defer s.shape.RUnlock()
	if err := s.mkdirs(path); err != nil { // a deletion may have removed them
		return err
	}

	lock := s.keyLock(path)
	lock.swap.Lock()
	defer lock.swap.Unlock()
	s.snapshot.Load().preserve(path)
	s.at("move sum")
	if err := os.Rename(s.tmpFile(sumName), s.sumFile(path)); err != nil {
		return err
	}
	s.at("move content")
	if err := os.Rename(s.tmpFile(name), s.objectFile(path)); err != nil {
		return err
	}
	s.at("moved")
	return nil
}

// remove deletes the files of an object. Without its content, an object does not exist.
func (s *Store) remove(path string) error {
	lock := s.keyLock(path)
	lock.swap.Lock()
	defer lock.swap.Unlock()
	s.snapshot.Load().preserve(path)
	s.at("remove content")
	if err := os.Remove(s.objectFile(path)); err != nil && !isNoFile(err) {
		return err
	}
	s.at("remove sum")
	if err := os.Remove(s.sumFile(path)); err != nil && !isNoFile(err) {
		return err
	}
	s.at("removed")
	return nil
}

// isNoFile reports whether os.Remove returned err because no file has the path. When the
// journal is applied, a directory may have the path of a deleted object.
func isNoFile(err error) bool { return isMissing(err) || errors.Is(err, syscall.ENOTEMPTY) }

// prune removes the directories of a deleted object that are empty. If it fails, they
// remain, which does no harm.
func (s *Store) prune(path string) {
	if path = filepath.Dir(path); path == "." || !isEmpty(s.objectFile(path)) {
		return
	}
	s.shape.Lock()
	defer s.shape.Unlock()
	for ; path != "."; path = filepath.Dir(path) {
		// Rmdir removes no file: an object may have the name of the directory by now.
		if err := syscall.Rmdir(s.sumFile(path)); err != nil && !isMissing(err) {
			return
		}
		if err := syscall.Rmdir(s.objectFile(path)); err != nil {
			return
		}
	}
}

// isEmpty reports whether a directory has no entries.
func isEmpty(path string) bool {
	dir, err := os.Open(path)
	if err != nil {
		return false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(1)
	return len(names) == 0 && errors.Is(err, io.EOF)
}
