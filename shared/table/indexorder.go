package table

// IndexOrder is the collation on which the order of one column of an index depends.
type IndexOrder struct {
	Index     string // its name without the schema, which is the schema of the table
	Qualified string // its name with the schema, quoted where SQL requires it
	Unique    bool   // the index enforces that rows are distinct
	Column    string // column of the table; empty for an expression
	Collation Collation
	CollName  string // quoted, with schema; empty for the database's default
	Database  string // name of the database, quoted
	Recorded  string // version that the server recorded when the index was built; empty if unknown
}

// Changed reports whether the collation's library has another version than when the index
// was built. Such an index may be out of order, and then misses rows of ranges and of
// single keys.
func (o IndexOrder) Changed() bool {
	return !o.isBytewise() && o.Recorded != "" && o.Collation.Version != "" && o.Recorded != o.Collation.Version
}

// Unversioned reports whether the server does not know if the collation has changed.
func (o IndexOrder) Unversioned() bool {
	return !o.isBytewise() && (o.Recorded == "" || o.Collation.Version == "")
}

// isBytewise reports whether the order never changes. The builtin provider compares
// bytes.
func (o IndexOrder) isBytewise() bool {
	return o.Collation.Provider == "b" || o.Collation.bytewise()
}
