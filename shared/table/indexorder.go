package table

// IndexOrder describes a collation on which the order of one column of an index depends.
type IndexOrder struct {
	Index     string // name of the index without the schema, which is the schema of the table
	Qualified string // name of the index with the schema, quoted where SQL requires it
	Unique    bool   // the index is a unique index or that of an exclusion constraint
	Column    string // column of the table; empty for an expression
	Collation Collation
	CollName  string // name of the collation, quoted, with schema; empty for the database's default
	Database  string // name of the database, quoted
	Recorded  string // version of the collation that the server has recorded; empty if unknown
}

// Changed reports whether the library now has another version of the collation than the
// server has recorded. An index that was built with the earlier version may be out of
// order, and a search that uses the index may miss rows.
func (o IndexOrder) Changed() bool {
	return !o.isBytewise() && o.Recorded != "" && o.Collation.Version != "" && o.Recorded != o.Collation.Version
}

// Unversioned returns true if it is unknown whether the collation has changed, because
// the recorded version or the version of the library is unknown. Changed returns false
// then.
func (o IndexOrder) Unversioned() bool {
	return !o.isBytewise() && (o.Recorded == "" || o.Collation.Version == "")
}

// isBytewise reports whether the collation orders texts by their bytes. Such an order
// never changes. The builtin provider always compares bytes.
func (o IndexOrder) isBytewise() bool {
	return o.Collation.Provider == "b" || o.Collation.bytewise()
}
