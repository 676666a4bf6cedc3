package pgtest

import (
	"fmt"

	"ace/infra/testkit/pgserver"
)

// Majors that depend on the installed servers.
const (
	Oldest = 0
	Newest = -1 // another than the oldest: with only one installed it is an error
)

// AllNodes means every node in an option for one node.
const AllNodes = -1

// Option changes what a cluster is made of. Nodes are counted from 0.
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

// Nodes requests n servers of the oldest major installed. The default is 2.
func Nodes(n int) Option {
	return func(s *spec) { s.majors = make([]int, n) }
}

// Majors requests one server of each of these majors, such as Majors(Oldest, Oldest,
// Newest).
func Majors(majors ...int) Option {
	return func(s *spec) { s.majors = majors }
}

// CreateDatabase adds SQL to a node's CREATE DATABASE, such as "ENCODING 'LATIN1'". The
// template is template0.
func CreateDatabase(node int, sql string) Option {
	return func(s *spec) { s.create = append(s.create, onNode[string]{node, sql}) }
}

// DatabaseSetting sets a configuration parameter for all sessions in the node's database.
func DatabaseSetting(node int, name, value string) Option {
	return func(s *spec) { s.settings = append(s.settings, onNode[setting]{node, setting{name, value}}) }
}

// ServerSetting sets a configuration parameter of every server; for Own only.
func ServerSetting(name, value string) Option {
	return func(s *spec) { s.serverSettings[name] = value }
}

// Initdb adds arguments of initdb; for Own only.
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

// installations resolves the majors.
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

// of selects what was given for this node or for all.
func of[T any](values []onNode[T], node int) []T {
	var found []T
	for _, v := range values {
		if v.node == node || v.node == AllNodes {
			found = append(found, v.value)
		}
	}
	return found
}
