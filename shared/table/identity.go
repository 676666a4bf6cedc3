package table

import (
	"fmt"
	"time"

	"ace/shared/fault"
)

// Identity names one database of one running server. Empty fields are unknown: a managed
// service may deny the role the system identifier.
type Identity struct {
	System   string `json:"system_identifier,omitempty"` // set by initdb; copies and standbys share it
	Timeline string `json:"timeline,omitempty"`          // timeline of a primary, or of the last checkpoint of a standby
	Database string `json:"database_oid"`
	Recovery bool   `json:"recovery,omitempty"` // it is a standby
	Started  string `json:"started,omitempty"`  // when its postmaster started, as PostgreSQL writes it in UTC
	Address  string `json:"address,omitempty"`  // where the server says that it listens
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

// SameServer reports whether two identities, read at about the same time, are of one
// database of one server. A standby, a promoted copy and a copy that was started
// elsewhere share the system identifier with their origin, but not the time at which they
// were started.
func (i Identity) SameServer(o Identity) bool {
	return i.Started != "" && i.Started == o.Started && i.Database == o.Database && i.SameDatabase(o)
}

// SameDatabase reports whether two identities may be of one database. They may be read at
// any time: since then the server may have been restarted, moved to another address or
// replaced by its standby.
func (i Identity) SameDatabase(o Identity) bool {
	return agree(i.System, o.System) && agree(i.Database, o.Database)
}

// Accepts reports whether a connection that found o during a task still leads to the
// server with which the task began. A restarted server is accepted. Another server was
// started earlier, or has another address, timeline or state of recovery.
func (i Identity) Accepts(o Identity) bool {
	if !i.SameDatabase(o) || i.Recovery != o.Recovery {
		return false
	}
	if i.Started == o.Started {
		return true
	}
	return agree(i.Timeline, o.Timeline) && agree(i.Address, o.Address) && !o.startedBefore(i)
}

// agree reports whether two values are the same, or one of them is unknown.
func agree(a, b string) bool { return a == b || a == "" || b == "" }

// startedBefore reports whether the server was started before o. It is false if that is
// unknown.
func (i Identity) startedBefore(o Identity) bool {
	const layout = "2006-01-02 15:04:05.999999-07"
	a, errA := time.Parse(layout, i.Started)
	b, errB := time.Parse(layout, o.Started)
	return errA == nil && errB == nil && a.Before(b)
}

// CheckServers returns an error if two of the descriptions are of one database of one
// server. Comparing a table with itself would find no difference.
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
