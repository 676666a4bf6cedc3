package cluster

import (
	"context"
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
	// Path is a directory with <name>.json, <name>/<name>.json and pg_service.conf, or
	// one such file. If Bucket is set, Path is only the bucket's name in messages.
	Path string
	// Bucket, if set, has these files instead of the directory.
	Bucket Bucket
	// ServiceFiles are further service files, which are searched after Path in this
	// order. Missing files are skipped.
	ServiceFiles []string
	// PasswordFile is the path of libpq's password file. It may be "" or missing.
	PasswordFile string
}

// Source finds cluster definitions. It caches nothing: every call reads the files again.
type Source struct {
	opts  Options
	place place
}

// NewSource returns a Source. It does not read any file.
func NewSource(opts Options) Source {
	if opts.Bucket != nil {
		return Source{opts, inBucket{opts.Bucket, opts.Path}}
	}
	return Source{opts, directory{opts.Path}}
}

// Load returns the definition of a cluster. It searches the JSON files of Path, then the
// service files, and uses the first match. The error is Invalid for an invalid name and
// for a definition that is malformed or cannot be read, and NotFound for an unknown name.
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

// Names returns the sorted names of all clusters. It does not open the JSON files, so a
// name may belong to a malformed definition.
func (s Source) Names(ctx context.Context) ([]string, error) {
	names, err := s.place.names(ctx)
	if err != nil {
		return nil, err
	}

	services, err := s.services(ctx)
	if err != nil {
		return nil, err
	}

	for _, f := range services {
		inFile, err := serviceNames(f.where, f.data)
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
	f, found, err := s.place.json(ctx, name)
	if err != nil {
		return Cluster{}, false, err
	}

	if found {
		c, err = parseJSON(f.where, name, f.data)
		return c, true, err
	}

	services, err := s.services(ctx)
	if err != nil {
		return Cluster{}, false, err
	}

	for _, f := range services {
		if c, found, err = parseService(f.where, name, f.data); found || err != nil {
			return c, found, err
		}
	}
	return Cluster{}, false, nil
}

// services returns the service files in the order in which they are searched.
func (s Source) services(ctx context.Context) ([]file, error) {
	var files []file
	f, found, err := s.place.service(ctx)
	if err != nil {
		return nil, err
	}

	if found {
		files = append(files, f)
	}

	for _, path := range s.opts.ServiceFiles {
		f, found, err := read(ctx, path)
		if err != nil {
			return nil, err
		}
		if found {
			files = append(files, f)
		}
	}
	return files, nil
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
