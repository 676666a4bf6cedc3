package cluster

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/fault"
)

const (
	jsonSuffix  = ".json"
	serviceName = "pg_service.conf"
)

// Options say where definitions are.
type Options struct {
	// Path is a directory with <name>.json, <name>/<name>.json and pg_service.conf, or one file of either kind.
	Path string
	// ServiceFiles are service files to look at after Path, in this order. Those that do not exist are skipped.
	ServiceFiles []string
	// PasswordFile is libpq's password file; "" or one that does not exist is none.
	PasswordFile string
}

// Source finds cluster definitions. It keeps nothing: every call reads the files anew.
type Source struct{ opts Options }

// NewSource makes a Source. It reads nothing yet.
func NewSource(opts Options) Source { return Source{opts} }

// Load gives the definition of a cluster. The first place that knows the name decides: the JSON files of Path, then
// the service files. Faults: Invalid for a name that cannot be one and for a definition that is malformed or cannot be
// read, NotFound for an unknown name.
func (s Source) Load(ctx context.Context, name string) (Cluster, error) {
	if err := api.CheckClusterName(name); err != nil {
		return Cluster{}, err
	}
	c, found, err := s.find(ctx, name)
	if err != nil {
		return Cluster{}, err
	}
	if !found {
		return Cluster{}, s.unknown(ctx, name)
	}
	if c.needsPasswords() {
		c.passwords, err = readPasswords(s.opts.PasswordFile)
	}
	return c, err
}

// Names gives the names of all clusters, sorted. A file is not opened for its name alone, so a name may belong to a
// malformed definition.
func (s Source) Names(ctx context.Context) ([]string, error) {
	jsonFiles, serviceFiles, err := s.files()
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range jsonFiles {
		names = append(names, name)
	}
	for _, path := range serviceFiles {
		data, found, err := read(ctx, path)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		inFile, err := serviceNames(path, data)
		if err != nil {
			return nil, err
		}
		names = append(names, inFile...)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return api.CheckClusterName(name) != nil })
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (s Source) find(ctx context.Context, name string) (c Cluster, found bool, err error) {
	jsonFiles, serviceFiles, err := s.files()
	if err != nil {
		return Cluster{}, false, err
	}
	if path, ok := jsonFiles[name]; ok {
		data, found, err := read(ctx, path)
		if err != nil || !found {
			return Cluster{}, false, err
		}
		c, err = parseJSON(path, name, data)
		return c, true, err
	}
	for _, path := range serviceFiles {
		data, exists, err := read(ctx, path)
		if err != nil {
			return Cluster{}, false, err
		}
		if !exists {
			continue
		}
		if c, found, err = parseService(path, name, data); found || err != nil {
			return c, found, err
		}
	}
	return Cluster{}, false, nil
}

// files gives the JSON files by the name of their cluster, and the service files in the order of search.
func (s Source) files() (jsonFiles map[string]string, serviceFiles []string, err error) {
	path := s.opts.Path
	info, err := os.Stat(path)
	switch {
	case path == "" || errors.Is(err, fs.ErrNotExist):
		return nil, s.opts.ServiceFiles, nil
	case err != nil:
		return nil, nil, unreadable(path, err)
	case info.IsDir():
		jsonFiles, err = jsonFilesIn(path)
		return jsonFiles, append([]string{filepath.Join(path, serviceName)}, s.opts.ServiceFiles...), err
	case strings.HasSuffix(path, jsonSuffix):
		name := strings.TrimSuffix(filepath.Base(path), jsonSuffix)
		return map[string]string{name: path}, s.opts.ServiceFiles, nil
	}
	return nil, append([]string{path}, s.opts.ServiceFiles...), nil
}

// jsonFilesIn finds <name>.json, and <name>/<name>.json where the first is missing.
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

// read gives the content of a file; found is false if there is none.
func read(ctx context.Context, path string) (data []byte, found bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	data, err = os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, nil
	case err != nil:
		return nil, false, unreadable(path, err)
	}
	return data, true, nil
}

// unreadable tells the operator, through whoever asked, what is wrong with a file.
func unreadable(path string, err error) error {
	reason := err
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		reason = pathErr.Err // without the path again
	}
	return fault.Wrap(err, fault.Invalid, "the cluster definitions at %s cannot be read: %v", path, reason)
}

func (s Source) unknown(ctx context.Context, name string) error {
	names, err := s.Names(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fault.New(fault.NotFound, "there is no cluster %s: no cluster is defined in %s or a %s", name, s.opts.Path, serviceName)
	}
	return fault.New(fault.NotFound, "there is no cluster %s, defined are %s", name, strings.Join(names, ", "))
}
