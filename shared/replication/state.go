package replication

import (
	"slices"
	"strings"
)

// The systems that replicate.
const (
	Native    = "native" // the logical replication of PostgreSQL
	PGLogical = "pglogical"
	Spock     = "spock"
)

// State has what one database of a node replicates, and how. Objects are in the order of
// their names. Names of tables are qualified, and quoted as in SQL.
type State struct {
	Server Server `json:"server"`
	// Extensions are pglogical and Spock, if they are installed.
	Extensions    []Extension    `json:"extensions,omitempty"`
	Publications  []Publication  `json:"publications,omitempty"`
	Subscriptions []Subscription `json:"subscriptions,omitempty"`
	// Slots are the logical slots of the database and all physical slots of the server.
	Slots   []Slot   `json:"slots,omitempty"`
	Origins []Origin `json:"origins,omitempty"`
	// Unknown is what the role could not read, and what Compare could not decide.
	Unknown []Unknown `json:"unknown,omitempty"`
}

// Server describes the server and its settings.
type Server struct {
	Version    string `json:"version"` // as the server reports it, such as 18.1
	VersionNum int    `json:"version_num"`
	Database   string `json:"database"`
	InRecovery bool   `json:"in_recovery"`
	WALLevel   string `json:"wal_level"`
}

// Extension is an installed replication extension.
type Extension struct {
	System   string `json:"system"` // pglogical or spock
	Version  string `json:"version"`
	NodeName string `json:"node_name,omitempty"` // the name of this node in the extension
}

// Unknown is something that the role could not read or that Compare could not decide. It
// may hide a problem.
type Unknown struct {
	What   string `json:"what"`
	System string `json:"-"` // the extension to which What belongs, or ""
	Remedy string `json:"remedy"`
	// Incomplete means that the state therefore lacks publications or subscriptions.
	Incomplete bool `json:"incomplete,omitempty"`
}

// Publication is a publication, or a replication set of an extension.
type Publication struct {
	System           string           `json:"system"`
	Name             string           `json:"name"`
	AllTables        bool             `json:"all_tables,omitempty"`
	Schemas          []string         `json:"schemas,omitempty"` // the schemas that are published with all their tables
	Operations       string           `json:"operations"`        // such as "insert, update, delete, truncate"
	ViaPartitionRoot bool             `json:"via_partition_root,omitempty"`
	GeneratedColumns string           `json:"generated_columns,omitempty"` // since PostgreSQL 18: n (none) or s (stored)
	Tables           []PublishedTable `json:"tables"`
}

// table returns the published table with this name, or nil.
func (p *Publication) table(name string) *PublishedTable {
	at, found := slices.BinarySearchFunc(p.Tables, name, func(t PublishedTable, name string) int { return strings.Compare(t.Table, name) })
	if !found {
		return nil
	}
	return &p.Tables[at]
}

// PublishedTable is a table of a publication or of a replication set.
type PublishedTable struct {
	Table     string   `json:"table"`
	Columns   []string `json:"columns,omitempty"`    // the column list; empty means all columns
	RowFilter string   `json:"row_filter,omitempty"` // the expression, as the server prints it
}

// Subscription is a subscription of the database, or of an extension in it. ACE never
// reads its connection string, which may contain a password.
type Subscription struct {
	System  string `json:"system"`
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
	Running bool   `json:"running"`          // whether an apply worker exists
	Status  string `json:"status,omitempty"` // the status that the extension reports; "" for native
	Slot    string `json:"slot,omitempty"`
	// Publications are the names of the publications or replication sets to which the
	// subscription subscribes.
	Publications []string `json:"publications"`
	// ProviderName is the name of the provider's node in the extension; "" for native.
	ProviderName string `json:"provider_name,omitempty"`
	// Origin is "none" if the provider sends only changes that were made on the provider,
	// and "any" if it also sends changes that it received from other nodes.
	Origin         string `json:"origin"`
	TwoPhase       string `json:"two_phase,omitempty"` // d (off), p (pending) or e (enabled)
	Streaming      string `json:"streaming,omitempty"` // f (off), t (on) or p (parallel)
	Binary         bool   `json:"binary,omitempty"`
	DisableOnError bool   `json:"disable_on_error,omitempty"`
	SkipLSN        string `json:"skip_lsn,omitempty"`
	// ApplyErrors and SyncErrors count the errors while changes were applied and while
	// tables were copied. They are nil before PostgreSQL 15, which does not count them.
	ApplyErrors *int64 `json:"apply_errors,omitempty"`
	SyncErrors  *int64 `json:"sync_errors,omitempty"`
	// Conflicts counts the conflicts by their kind. PostgreSQL counts them since
	// version 18.
	Conflicts map[string]int64 `json:"conflicts,omitempty"`
	// CountedSince is when the errors and conflicts were last reset; "" means never.
	CountedSince string            `json:"counted_since,omitempty"`
	Tables       []SubscribedTable `json:"tables"`
	// LastMessage is how many seconds ago the worker received something.
	LastMessage *float64 `json:"last_message_seconds,omitempty"`

	// Provider is the name of the node that sends the changes. Compare sets Provider
	// and the lag if it finds the provider among the nodes of the cluster.
	Provider   string   `json:"provider,omitempty"`
	LagBytes   *int64   `json:"lag_bytes,omitempty"`
	LagSeconds *float64 `json:"lag_seconds,omitempty"`
}

// SubscribedTable is a table of a subscription. Its state is i (initialize), d (copying),
// f (copied), s (synchronized) or r (ready). pglogical and Spock have other states, such
// as y (synchronized).
type SubscribedTable struct {
	Table string `json:"table"`
	State string `json:"state"`
}

func (t SubscribedTable) isReady() bool { return t.State == "r" || t.State == "s" || t.State == "y" }

// Slot is a replication slot.
type Slot struct {
	Name      string `json:"name"`
	Type      string `json:"type"`             // logical or physical
	Plugin    string `json:"plugin,omitempty"` // the output plugin of a logical slot
	Active    bool   `json:"active"`
	Temporary bool   `json:"temporary,omitempty"`
	Synced    bool   `json:"synced,omitempty"`     // whether the slot is a copy of a slot of the primary (since PostgreSQL 17)
	WALStatus string `json:"wal_status,omitempty"` // reserved, extended, unreserved or lost
	// Invalidation is the reason why the slot can no longer be used.
	Invalidation string `json:"invalidation_reason,omitempty"`
	// RetainedBytes is the size of the WAL that the server keeps for the slot.
	RetainedBytes *int64 `json:"retained_bytes,omitempty"`
	// LagBytes is the size of the WAL that the consumer has not confirmed.
	LagBytes *int64 `json:"lag_bytes,omitempty"`
	// LagSeconds is how long changes take until the consumer confirms them.
	LagSeconds      *float64 `json:"lag_seconds,omitempty"`
	InactiveSeconds *float64 `json:"inactive_seconds,omitempty"` // how long no consumer has used the slot (since PostgreSQL 17)

	// Subscriber is the node whose subscription uses the slot, and Subscription is the
	// name of the subscription. Compare sets them if the subscriber is a node of the
	// cluster.
	Subscriber   string `json:"subscriber,omitempty"`
	Subscription string `json:"subscription,omitempty"`
}

// Origin is a replication origin of the server.
type Origin struct {
	Name      string `json:"name"`
	RemoteLSN string `json:"remote_lsn,omitempty"` // empty if the role may not read it
	// Leftover means that the subscription which had this origin does not exist any more.
	Leftover bool `json:"leftover,omitempty"`
}

// Node is a node of the cluster with its state.
type Node struct {
	Name string
	*State
}

func (n Node) publication(system, name string) *Publication {
	for i := range n.Publications {
		if p := &n.Publications[i]; p.System == system && p.Name == name {
			return p
		}
	}
	return nil
}

// publishesAll reports whether the node has all publications in names. It returns false
// if names is empty.
func (n Node) publishesAll(system string, names []string) bool {
	for _, name := range names {
		if n.publication(system, name) == nil {
			return false
		}
	}
	return len(names) > 0
}

func (n Node) slot(name string) *Slot {
	for i := range n.Slots {
		if s := &n.Slots[i]; s.Name == name && s.Type == "logical" {
			return s
		}
	}
	return nil
}

// nameIn returns the name of the node in an extension, or "".
func (n Node) nameIn(system string) string {
	for _, e := range n.Extensions {
		if e.System == system {
			return e.NodeName
		}
	}
	return ""
}
