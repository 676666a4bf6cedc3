package table

// horizonLimit limits the distance between a horizon and the next transaction id. age()
// compares 32-bit ids, so it is reliable only for distances below 2^31. The margin of
// 2^26 is for the ids of transactions that start while the query runs.
const horizonLimit = 1<<31 - 1<<26

// Freshness describes the age of the rows of a range. One statement reads all fields, so
// they are from one snapshot. Transaction ids have 64 bits.
type Freshness struct {
	Rows     int64
	Youngest int64 // greatest xmin of a visible row; undefined if Rows is 0
	Horizon  int64 // xmin of the snapshot: every transaction that it does not see has this id or a greater one
	Next     int64 // xmax of the snapshot: it sees no transaction with this id or a greater one
}

// Unchanged reports whether the range has exactly the rows that it had in an earlier
// snapshot. rows is the number of rows of the range in that snapshot, and horizon is the
// Horizon of that snapshot.
//
// A row that was inserted or updated since then has an xmin at or above the horizon. If
// no row has such an xmin, every row existed before. If the row count is equal as well,
// no row was deleted. A row stores only the lower 32 bits of an id, so an old xmin may
// look like one from 2^32 transactions later. Unchanged considers such a row new, so it
// may return false for an unchanged range, but never true for a changed one.
func (f Freshness) Unchanged(rows, horizon int64) bool { return f.Rows == rows && f.NoneSince(horizon) }

// NoneSince reports whether no row of the range was inserted or updated since a snapshot
// with this horizon. If that is true for every range of a table and the total row count
// is unchanged, the whole table is unchanged.
func (f Freshness) NoneSince(horizon int64) bool {
	if horizon <= 0 || f.Next < horizon || f.Next-horizon >= horizonLimit {
		return false
	}
	return f.Rows == 0 || f.Youngest < horizon
}

// Facts holds the catalog facts of a table. The ages of the table's rows (by xmin) show
// what has changed only as long as these facts stay the same.
type Facts struct {
	// Values maps the name of each fact to the hash of its value.
	Values map[string]string
	// Unproven is the reason why the ages of rows do not show what has changed in this table
	// on this node. It is empty if they do.
	Unproven string
	// Writes is the number of rows that the server's statistics have counted as inserted,
	// updated and deleted. The statistics lag and may miss some rows, so an equal number
	// does not prove that nothing was written. Writes is nil if the server does not count
	// these rows (track_counts is off).
	Writes *int64 `json:",omitempty"`
	// Server is the server on which the facts were read.
	Server Identity `json:"-"`
}
