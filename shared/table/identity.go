package table

import (
	"fmt"
	"time"

	"ace/shared/fault"
)

// Identity names one database of one running server. An empty field is unknown: a managed
// service, for example, may not let the role read the system identifier.
type Identity struct {
	System   string `json:"system_identifier,omitempty"` // set by initdb; copies and standbys share it
	Timeline string `json:"timeline,omitempty"`          // timeline of a primary, or of the last checkpoint of a standby
	Database string `json:"database_oid"`
	Recovery bool   `json:"recovery,omitempty"` // the server is a standby
	Started  string `json:"started,omitempty"`  // when the postmaster of the server started, as PostgreSQL writes the time in UTC
	Address  string `json:"address,omitempty"`  // host and port of the server's end of the connection, as the server reports them
}

// String describes the identity for messages.
func (i Identity) String() string {
	kind := "server"
	if i.Recovery {
		kind = "standby"
	}

	text := fmt.Sprintf("%s started %s", kind, i.Started)
	if i.System != "" {
		text += ", system identifier " + i.System
	}
	if i.Timeline != "" {
		text += ", timeline " + i.Timeline
	}
	return text + ", database OID " + i.Database
}

// SameServer reports whether two identities, read at about the same time, belong to the
// same database of the same server. The start time of the servers decides: a standby, a
// promoted standby and a copy that was started elsewhere have the same system identifier
// as the original server, but another start time.
func (i Identity) SameServer(o Identity) bool {
	return i.Started != "" && i.Started == o.Started && i.Database == o.Database && i.SameDatabase(o)
}

// SameDatabase reports whether two identities may belong to the same database. They need
// not be read at the same time: in between, the server may have been restarted, moved to
// another address or replaced by its standby.
func (i Identity) SameDatabase(o Identity) bool {
	return agree(i.System, o.System) && agree(i.Database, o.Database)
}

// Accepts reports whether o may be the identity of the server with which a task began. i
// is the identity at the beginning of the task, and o the identity that a later
// connection found. Both must have the same database and recovery state. If they have
// different start times, the server may have been restarted in between. Then o must be
// the later one, and both must have the same address and timeline. An unknown value
// equals every value.
func (i Identity) Accepts(o Identity) bool {
	if !i.SameDatabase(o) || i.Recovery != o.Recovery {
		return false
	}
	if i.Started == o.Started {
		return true
	}
	return agree(i.Timeline, o.Timeline) && agree(i.Address, o.Address) && !o.startedBefore(i)
}

// agree reports whether two values of an Identity may be equal: they are the same, or one
// of them is unknown (empty).
func agree(a, b string) bool { return a == b || a == "" || b == "" }

// startedBefore reports whether the server was started before o. It returns false if a
// start time is unknown.
func (i Identity) startedBefore(o Identity) bool {
	const layout = "2006-01-02 15:04:05.999999-07"
	a, errA := time.Parse(layout, i.Started)
	b, errB := time.Parse(layout, o.Started)
	return errA == nil && errB == nil && a.Before(b)
}

// CheckServers returns an error if two of the descriptions come from the same database of
// the same server. Comparing a table with itself would find no difference.
func CheckServers(described []*Description) error {
	for i, a := range described {
		for _, b := range described[:i] {
			if a.Server.SameServer(b.Server) {
				return sameServer(b.Node, b.Address, a.Node, a.Address)
			}
		}
	}
	return nil
}

func sameServer(nodeA, addressA, nodeB, addressB string) error {
	return fault.New(fault.Invalid, "nodes %q (%s) and %q (%s) are the same database of the same server: correct their addresses in the cluster definition",
		nodeA, addressA, nodeB, addressB)
}
