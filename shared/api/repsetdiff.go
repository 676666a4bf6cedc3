package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The systems that have replication sets. In PostgreSQL's own logical replication, a
// publication is the set.
const (
	SystemPublication = "publication"
	SystemPGLogical   = "pglogical"
	SystemSpock       = "spock"
)

// anySystem stands for any of the systems.
const anySystem = "repset"

// maxRepset is the maximum number of bytes of repset_name: 12 of the longest prefix
// (publication:) and 63 of a name in PostgreSQL.
const maxRepset = 75

func systems() []string { return []string{SystemPublication, SystemPGLogical, SystemSpock} }

// RepsetDiffRequest asks to compare the tables of a publication, or of a replication set
// of pglogical or Spock, between nodes. The JSON form of the request is stored as the
// parameters of the task.
type RepsetDiffRequest struct {
	Repset Repset `json:"repset_name"`

	SetRequest
}

// Repset names a publication or a replication set.
type Repset string

// Split returns the system and the name of the set as in the system catalog. The system
// is "" if r names none.
func (r Repset) Split() (system, name string) {
	before, after, found := strings.Cut(string(r), ":")
	switch {
	case after == "":
	case found && slices.Contains(systems(), before):
		return before, after
	case found && before == anySystem:
		return "", after
	}
	return "", string(r)
}

// NewRepsetDiffRequest returns a request with all defaults. The caller must set the
// cluster and the replication set.
func NewRepsetDiffRequest() RepsetDiffRequest {
	return RepsetDiffRequest{SetRequest: newSetRequest()}
}

// DecodeRepsetDiff decodes and validates the parameters of repset-diff. It returns all
// problems in one fault with code Invalid.
func DecodeRepsetDiff(p Params) (RepsetDiffRequest, error) {
	r, req := newReader(p), NewRepsetDiffRequest()
	req.readCluster(r)
	req.Repset = Repset(r.text("repset_name", ""))
	req.read(r)
	return req, r.finish(req.problems())
}

func (r RepsetDiffRequest) problems() problems {
	var found problems
	found.add("cluster_name", clusterNameProblem(r.ClusterName))
	found.add("repset_name", r.Repset.problem())
	return append(found, r.SetRequest.problems()...)
}

func (r Repset) problem() string {
	switch {
	case r == "":
		return "repset_name is required"
	case len(r) > maxRepset:
		return fmt.Sprintf("repset_name has %d bytes; the maximum is %d", len(r), maxRepset)
	}
	return ""
}

// Validate returns all problems of the request in one fault with code Invalid.
func (r RepsetDiffRequest) Validate() error { return r.problems().err() }

// Name returns the text that the task has as its table_name: the system and the name of
// the set, such as publication:orders, or repset:orders if the request names no system.
// It never equals the name of a table, which has no colon outside of quotes.
func (r RepsetDiffRequest) Name() string {
	system, name := r.Repset.Split()
	return cmp.Or(system, anySystem) + ":" + name
}
