package table

import "time"

// Condition describes what affects comparisons and repairs on one node of a database. All
// of it is from the system catalog, except the clock.
type Condition struct {
	Standby          bool
	CommitTimestamps bool          // track_commit_timestamp is on
	ClockSkew        time.Duration // the node's clock minus this host's
	ClockError       time.Duration // the largest possible error of ClockSkew: half of the round trip
	Tables           []Usability   // ordered by schema and name
	Collations       []StaleCollation
	Subscriptions    []Subscription // the subscriptions of this database; only Name, Enabled, Running and Errors are set
}

// Usability describes whether a table can be compared.
type Usability struct {
	Schema, Name string
	HasKey       bool // false: no index can serve as a key
	Readable     bool // false: the role lacks USAGE of the schema or SELECT of a column
	Hidden       bool // row security policies hide rows from the role
	Partition    bool // the table is a partition of another one
	Extension    bool // the table belongs to an extension
}

// StaleCollation is a collation whose version is not the one that was recorded when the
// indexes were built. The indexes that use the collation may be out of order then.
type StaleCollation struct {
	Name             string // qualified and quoted; "": the default collation of the database
	Database         string // the name of the database, quoted
	Recorded, Actual string
	Indexes          int      // number of indexes that use the collation
	First            []string // the first of these indexes, qualified and quoted
}
