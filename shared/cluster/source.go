package cluster

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/fault"
)

const (
	jsonSuffix  = ".json"
	serviceName = "pg_service.conf"
)

// Options configure a Source.
type Options struct {
	// Path is a directory with files named <name>.json, <name>/<name>.json and
	// pg_service.conf, or the path of one such file. If Bucket is set, Path is only the name
	// of the bucket in messages.
	Path string
	// Bucket, if set, is the bucket that has these files as objects. No directory is read
	// then.
	Bucket Bucket
	// ServiceFiles are further service files, which are searched after Path in this
	// order. Missing files are skipped.
	ServiceFiles []ServiceFile
	// PasswordFile is the path of libpq's password file. It may be "", and the file need not
	// exist. PasswordFileNamed means that an environment variable names the file. If it is
	// false, the path is the default of libpq, and it is no error if this user may not read
	// the file.
	PasswordFile      string
	PasswordFileNamed bool
	// CertificateDir is the directory with the default certificates of libpq, such as
	// ~/.postgresql. It may be "", and the directory need not exist.
	CertificateDir string
}

// ServiceFile is the path of a service file. Named means that an environment variable
// names the file. If it is false, the path is a default of libpq, and the file is skipped
// if this user may not read it.
type ServiceFile struct {
	Path  string
	Named bool
}

// Source finds cluster definitions. Every call reads the files again (but see Recent). It
// caches only the result of parsing a JSON file, which it parses again when the content
// has changed.
type Source struct {
	opts   Options
	place  place
	parsed *parsedFiles
	recent *recent // nil: every Load reads the files
}

// NewSource returns a Source. It does not read any file.
func NewSource(opts Options) Source {
	if opts.Bucket != nil {
		return Source{opts: opts, place: inBucket{opts.Bucket, opts.Path}, parsed: &parsedFiles{}}
	}
	return Source{opts: opts, place: directory{opts.Path}, parsed: &parsedFiles{}}
}

// Load returns the definition of a cluster. It searches the JSON files of Path, then the
// service files, and uses the first match. The error is Invalid for an invalid name and
// for a definition that is malformed or cannot be read, and NotFound for an unknown name.
func (s Source) Load(ctx context.Context, name string) (Cluster, error) {
	if err := api.CheckClusterName(name); err != nil {
		return Cluster{}, err
	}

	if c, ok := s.recent.get(name); ok {
		return c, nil
	}
	at := now()
	c, found, err := s.find(ctx, name)
	if err != nil {
		return Cluster{}, err
	}

	if !found {
		return Cluster{}, s.unknown(ctx, name)
	}

	if c.files, err = c.readFiles(s.opts); err != nil {
		return c, err
	}
	s.recent.put(name, at, c)
	return c, nil
}

// Names returns the sorted names of all clusters. It does not open the JSON files, so a
// name may belong to a malformed definition.
func (s Source) Names(ctx context.Context) ([]string, error) {
	names, err := s.place.names(ctx)
	if err != nil {
		return nil, err
	}

	_, err = s.inServices(ctx, func(f file) (bool, error) {
		inFile, err := serviceNames(f.where, f.data)
		names = append(names, inFile...)
		return false, err
	})
	if err != nil {
		return nil, err
	}

	names = slices.DeleteFunc(names, func(name string) bool { return api.CheckClusterName(name) != nil })
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (s Source) find(ctx context.Context, name string) (c Cluster, found bool, err error) {
	f, found, err := s.place.json(ctx, name)
	if err != nil {
		return Cluster{}, false, err
	}

	if found {
		c, err = s.parsed.json(f.where, name, f.data)
		return c, true, err
	}

	found, err = s.inServices(ctx, func(f file) (found bool, err error) {
		c, found, err = parseService(f.where, name, f.data)
		return found, err
	})
	return c, found, err
}

// inServices reads the service files in the order in which they are searched, and calls
// fn for each of them until fn returns true or an error. It returns true if fn has
// returned true.
func (s Source) inServices(ctx context.Context, fn func(file) (bool, error)) (bool, error) {
	f, found, err := s.place.service(ctx)
	if err != nil {
		return false, err
	}
	if found {
		if done, err := fn(f); done || err != nil {
			return done, err
		}
	}

	for _, candidate := range s.opts.ServiceFiles {
		f, found, err := read(ctx, candidate.Path)
		if errors.Is(err, fs.ErrPermission) && !candidate.Named {
			continue
		}
		if err != nil {
			return false, err
		}
		if !found {
			continue
		}
		if done, err := fn(f); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

func (s Source) unknown(ctx context.Context, name string) error {
	names, err := s.Names(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fault.New(fault.NotFound, "there is no cluster %s: no cluster is defined in %s or a %s", name, s.opts.Path, serviceName)
	}
	return fault.New(fault.NotFound, "there is no cluster %s; the defined clusters are %s", name, strings.Join(names, ", "))
}
