package cluster

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/private"
)

// place is where cluster definitions are stored: a directory or a bucket.
type place interface {
	// json returns the JSON file of a cluster. found is false if there is none.
	json(ctx context.Context, name string) (f file, found bool, err error)
	// names returns the names of the clusters with a JSON file.
	names(ctx context.Context) ([]string, error)
	// service returns the service file, which is pg_service.conf in a directory or
	// bucket. found is false if there is none.
	service(ctx context.Context) (f file, found bool, err error)
}

// file holds the content of a definition file and, in where, its path for messages.
type file struct {
	where string
	data  []byte
}

// directory reads definitions on this host. path is a directory with definitions, or a
// single file.
type directory struct{ path string }

func (d directory) json(ctx context.Context, name string) (file, bool, error) {
	files, err := d.jsonFiles()
	if err != nil || files[name] == "" {
		return file{}, false, err
	}
	return read(ctx, files[name])
}

func (d directory) names(context.Context) ([]string, error) {
	files, err := d.jsonFiles()
	var names []string
	for name := range files {
		names = append(names, name)
	}
	return names, err
}

func (d directory) service(ctx context.Context) (file, bool, error) {
	info, err := os.Stat(d.path)
	switch {
	case d.path == "" || errors.Is(err, fs.ErrNotExist):
		return file{}, false, nil
	case err != nil:
		return file{}, false, unreadable(d.path, err)
	case info.IsDir():
		return read(ctx, filepath.Join(d.path, serviceName))
	case strings.HasSuffix(d.path, jsonSuffix):
		return file{}, false, nil
	}
	return read(ctx, d.path)
}

// jsonFiles maps the name of each cluster to the path of its JSON file.
func (d directory) jsonFiles() (map[string]string, error) {
	info, err := os.Stat(d.path)
	switch {
	case d.path == "" || errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, unreadable(d.path, err)
	case info.IsDir():
		return jsonFilesIn(d.path)
	case strings.HasSuffix(d.path, jsonSuffix):
		return map[string]string{strings.TrimSuffix(filepath.Base(d.path), jsonSuffix): d.path}, nil
	}
	return nil, nil
}

// jsonFilesIn maps the name of each cluster to the path of its JSON file in the directory
// dir. The path is <name>.json, or <name>/<name>.json if there is no <name>.json.
func jsonFilesIn(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, unreadable(dir, err)
	}

	files := make(map[string]string)
	for _, entry := range entries {
		name, isFile := strings.CutSuffix(entry.Name(), jsonSuffix)
		if isFile {
			files[name] = filepath.Join(dir, entry.Name())
			continue
		}
		nested := filepath.Join(dir, name, name+jsonSuffix)
		if _, taken := files[name]; !taken && exists(nested) {
			files[name] = nested
		}
	}
	return files, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// read reads a file of this host. found is false if there is none.
func read(ctx context.Context, path string) (f file, found bool, err error) {
	if err := ctx.Err(); err != nil {
		return file{}, false, err
	}
	data, err := private.Instructions(path, maxDefinition)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotDirectory):
		return file{}, false, nil
	case fault.CodeOf(err) == fault.Invalid:
		return file{}, false, err
	case err != nil:
		return file{}, false, unreadable(path, err)
	}
	return file{path, data}, true, nil
}

// unreadable returns the error for definitions at path that cannot be read. Its code is
// Invalid, so the user sees the reason, or Unavailable if the host lacks something for
// now, such as file descriptors: then the read is tried again.
func unreadable(path string, err error) error {
	return fault.Wrap(err, fault.CodeOfFile(err), "the cluster definitions at %s cannot be read: %v", path, reasonOf(err))
}

// errNotDirectory is the error of a system call on a path like a/b if a is a file. Then
// there is no file a/b.
const errNotDirectory = syscall.ENOTDIR

// reasonOf returns the reason of a file error without the path, because the messages of
// this package already contain the path.
func reasonOf(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// Bucket reads the objects of a bucket. Keys do not include the prefix under which the
// definitions are stored.
type Bucket interface {
	Get(ctx context.Context, key string) (archive.Object, error)
	List(ctx context.Context, prefix, after string, fn func(archive.Info) bool) error
}

// inBucket reads definitions from a bucket, whose objects have the same names as the
// files in a directory.
type inBucket struct {
	bucket Bucket
	where  string
}

// maxDefinition is the maximum size of a definition file in bytes.
const maxDefinition = 4 << 20

func (b inBucket) json(ctx context.Context, name string) (file, bool, error) {
	f, found, err := b.get(ctx, name+jsonSuffix)
	if found || err != nil {
		return f, found, err
	}
	return b.get(ctx, name+"/"+name+jsonSuffix)
}

func (b inBucket) service(ctx context.Context) (file, bool, error) { return b.get(ctx, serviceName) }

func (b inBucket) names(ctx context.Context) ([]string, error) {
	var names []string
	err := b.bucket.List(ctx, "", "", func(info archive.Info) bool {
		name, isFile := strings.CutSuffix(info.Key, jsonSuffix)
		if dir, base, nested := strings.Cut(name, "/"); nested {
			name, isFile = base, isFile && dir == base
		}
		if isFile {
			names = append(names, name)
		}
		return true
	})
	return names, err
}

func (b inBucket) get(ctx context.Context, key string) (f file, found bool, err error) {
	object, err := b.bucket.Get(ctx, key)
	if errors.Is(err, archive.ErrNotFound) {
		return file{}, false, nil
	}
	if err != nil {
		return file{}, false, err
	}
	defer object.Body.Close()

	where := b.where + "/" + key
	if object.Size > maxDefinition {
		return file{}, false, fault.New(fault.Invalid, "%s has %d bytes; the maximum of a cluster definition is %d", where, object.Size, maxDefinition)
	}

	data, err := io.ReadAll(object.Body)
	return file{where, data}, err == nil, err
}
