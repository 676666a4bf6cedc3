package pgtest

import (
	"fmt"

	"ace/infra/testkit/pgserver"
)

// Major versions, as arguments of Majors, that depend on which servers are installed.
const (
	Oldest = 0
	Newest = -1 // the newest major version, which must differ from the oldest: it is an error if only one is installed
)

// AllNodes means every node, as the node argument of an option.
const AllNodes = -1

// Option is an option of a cluster. Nodes are numbered from 0.
type Option func(*spec)

type spec struct {
	majors         []int
	create         []onNode[string]
	settings       []onNode[setting]
	serverSettings map[string]string
	initdb         []string
}

type onNode[T any] struct {
	node  int
	value T
}

type setting struct{ name, value string }

// Nodes requests n servers of the oldest installed major version. The default is 2.
func Nodes(n int) Option {
	return func(s *spec) { s.majors = make([]int, n) }
}

// Majors requests one server for each of these major versions, such as Majors(Oldest,
// Oldest, Newest).
func Majors(majors ...int) Option {
	return func(s *spec) { s.majors = majors }
}

// CreateDatabase appends SQL to the CREATE DATABASE of a node, such as "ENCODING
// 'LATIN1'". The template is template0.
func CreateDatabase(node int, sql string) Option {
	return func(s *spec) { s.create = append(s.create, onNode[string]{node, sql}) }
}

// DatabaseSetting sets a configuration parameter for all sessions in the node's database.
func DatabaseSetting(node int, name, value string) Option {
	return func(s *spec) { s.settings = append(s.settings, onNode[setting]{node, setting{name, value}}) }
}

// ServerSetting sets a configuration parameter of every server. It is only for Own.
func ServerSetting(name, value string) Option {
	return func(s *spec) { s.serverSettings[name] = value }
}

// Initdb adds arguments of initdb. It is only for Own.
func Initdb(args ...string) Option {
	return func(s *spec) { s.initdb = append(s.initdb, args...) }
}

func newSpec(opts []Option) *spec {
	s := &spec{majors: make([]int, 2), serverSettings: map[string]string{}}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// installations returns the installations of the requested major versions.
func (s *spec) installations() ([]pgserver.Installation, error) {
	all := pgserver.Installations()
	if len(all) == 0 {
		return nil, fmt.Errorf("no PostgreSQL is installed: run `make deps`")
	}
	var found []pgserver.Installation
	for _, major := range s.majors {
		switch major {
		case Oldest:
			major = all[0].Major
		case Newest:
			major = all[len(all)-1].Major
			if major == all[0].Major {
				return nil, fmt.Errorf("PostgreSQL %d is the only major that was found, in %v: run `make deps`", major, all)
			}
		}
		in, err := pgserver.Find(major)
		if err != nil {
			return nil, err
		}
		found = append(found, in)
	}
	return found, nil
}

// of returns the values for this node and those for AllNodes.
func of[T any](values []onNode[T], node int) []T {
	var found []T
	for _, v := range values {
		if v.node == node || v.node == AllNodes {
			found = append(found, v.value)
		}
	}
	return found
}
