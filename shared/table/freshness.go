package table

// horizonLimit is how many transaction ids back an age can be told for sure: the 2^31 that the server's 32 bits allow,
// less what may run while it is asked.
const horizonLimit = 1<<31 - 1<<26

// Freshness is what a node says of the age of a range's rows, all of it in one statement and so of one snapshot.
// Transaction ids have their 64 bits.
type Freshness struct {
	Rows     int64
	Youngest int64 // greatest xmin of a visible row; means nothing without rows
	Horizon  int64 // xmin of the snapshot: whatever it does not see has this id or a greater one
	Next     int64 // xmax of the snapshot: it sees nothing of this id or a greater one
}

// Unchanged says whether the range holds the very rows that it held in a snapshot whose horizon was this, when it held so
// many. Rows come only with an id from the horizon on; if none has come and none is missing, it is as it was. An id that
// cannot be told from one 2^32 earlier counts as young, so the answer is never yes by mistake.
func (f Freshness) Unchanged(rows, horizon int64) bool { return f.Rows == rows && f.NoneSince(horizon) }

// NoneSince says whether no row has come since a snapshot with this horizon. Of ranges that together are a whole that holds as
// many rows as then, the whole is as it was.
func (f Freshness) NoneSince(horizon int64) bool {
	if horizon <= 0 || f.Next < horizon || f.Next-horizon >= horizonLimit {
		return false
	}
	return f.Rows == 0 || f.Youngest < horizon
}

// Facts is what must be as it was for ages to prove anything about a table: name of a fact to the hash of its value.
type Facts struct {
	Values map[string]string
	// Unproven says why nothing can be proven of this table on this node; "": it can.
	Unproven string
	// Writes is how many rows the server's statistics have counted as inserted, updated and deleted, late and not for sure;
	// nil: they count none. It proves nothing.
	Writes *int64 `json:",omitempty"`
	// Server is where they were read.
	Server Identity `json:"-"`
}
