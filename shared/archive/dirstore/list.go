package dirstore

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"ace/shared/archive"
)

// List implements archive.Store. It holds the names of one directory of each level in
// memory.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(archive.Info) bool) error {
	l := &listing{ctx: ctx, store: s, prefix: prefix, after: after, fn: fn}
	parents := prefix[:strings.LastIndexByte(prefix, '/')+1]
	_, err := l.directory(parents)
	if err != nil {
		return s.unavailable(err, doingList, prefix)
	}
	return nil
}

// listing is a call of List.
type listing struct {
	ctx           context.Context //nolint:containedctx // a listing belongs to one call
	store         *Store
	prefix, after string
	fn            func(archive.Info) bool
}

// entry is an object or a directory of objects.
type entry struct {
	key  string // of a directory: the common prefix of its keys, which ends with "/"
	path string
}

func (e entry) isDir() bool { return strings.HasSuffix(e.key, "/") && e.path == "" }

// directory lists the objects whose keys begin with parents, which is empty or ends with
// "/". It returns false if the listing must end.
func (l *listing) directory(parents string) (more bool, err error) {
	var entries []entry
	if err := l.read(parents, strings.TrimSuffix(pathOfDirectory(parents), "/"), "", &entries); err != nil {
		return false, err
	}
	// A directory sorts by its prefix, so its keys are in their place among the objects.
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	for _, e := range entries {
		if err := l.ctx.Err(); err != nil {
			return false, err
		}
		if e.isDir() {
			more, err = l.directory(e.key)
		} else {
			more, err = l.object(e)
		}
		if !more || err != nil {
			return false, err
		}
	}
	return true, nil
}

// pathOfDirectory returns the path of the directory of a prefix that is empty or ends
// with "/".
func pathOfDirectory(parents string) string {
	if parents == "" {
		return ""
	}
	return pathOfSegments(strings.TrimSuffix(parents, "/"))
}

// read appends the entries of a directory that the listing may need. A long segment has
// the names of several directories (see pathOfSegments). If the directory at path belongs
// to such a segment, name is the part of it that path contains.
func (l *listing) read(parents, path, name string, entries *[]entry) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	found, err := os.ReadDir(l.store.objectFile(path))
	if isMissing(err) {
		return nil // it may have been removed because it was empty
	}
	if err != nil {
		return err
	}
	for _, f := range found {
		below := f.Name()
		if path != "" {
			below = path + "/" + f.Name()
		}
		if piece, isContinued := strings.CutSuffix(f.Name(), continued); isContinued {
			if err := l.read(parents, below, name+piece, entries); err != nil {
				return err
			}
			continue
		}
		segment, ok := unescape(name + f.Name())
		if !ok {
			continue // the store has not written it
		}
		if e, needed := l.entry(parents+segment, below, f); needed {
			*entries = append(*entries, e)
		}
	}
	return nil
}

// entry returns the entry for a file or directory, and whether the listing needs it.
func (l *listing) entry(key, path string, f fs.DirEntry) (entry, bool) {
	if !f.IsDir() {
		return entry{key: key, path: path}, strings.HasPrefix(key, l.prefix) && key > l.after
	}
	key += "/"
	inPrefix := strings.HasPrefix(key, l.prefix) || strings.HasPrefix(l.prefix, key)
	isAfter := key > l.after || strings.HasPrefix(l.after, key)
	return entry{key: key}, inPrefix && isAfter
}

// object passes an object to the function of the caller.
func (l *listing) object(e entry) (more bool, err error) {
	info, err := l.store.describe(e)
	if isMissing(err) {
		return true, nil // it was deleted meanwhile
	}
	if err != nil {
		return false, err
	}
	return l.fn(info), nil
}

// damagedETag is the ETag in listings of an object whose sum cannot be read. Reading such
// an object returns the reason.
const damagedETag = "damaged"

// describe returns what a listing reports about an object.
func (s *Store) describe(e entry) (archive.Info, error) {
	lock := s.keyLock(e.path)
	lock.swap.RLock()
	defer lock.swap.RUnlock()
	file, err := os.Lstat(s.objectFile(e.path))
	if err != nil {
		return archive.Info{}, err
	}
	recorded, err := s.readSum(e.path)
	if err != nil {
		recorded.hash = damagedETag
	}
	return archive.Info{
		Key: e.key, Size: file.Size(), ETag: recorded.hash, LastModified: file.ModTime().UTC().Truncate(time.Millisecond),
	}, nil
}
