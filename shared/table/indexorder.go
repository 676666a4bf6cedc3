package table

// IndexOrder is a collation that the order of one column of an index depends on.
type IndexOrder struct {
	Index     string // its name, without the schema, which is that of its table
	Qualified string // quoted where SQL asks for it, with schema: as a statement names it
	Unique    bool   // the index enforces that rows are distinct
	Column    string // of the table; empty for an expression
	Collation Collation
	CollName  string // quoted, with schema; empty for the database's default
	Database  string // quoted
	Recorded  string // version that the server recorded when the index was built; empty if unknown
}

// Changed reports whether the collation's library has another version than when the index was
// built. Such an index may be out of order, so that neither ranges nor single keys are found.
func (o IndexOrder) Changed() bool {
	return !o.isBytewise() && o.Recorded != "" && o.Collation.Version != "" && o.Recorded != o.Collation.Version
}

// Unversioned reports whether the server cannot tell if the collation has changed.
func (o IndexOrder) Unversioned() bool {
	return !o.isBytewise() && (o.Recorded == "" || o.Collation.Version == "")
}

// isBytewise reports whether the order never changes. The server's own provider compares bytes.
func (o IndexOrder) isBytewise() bool {
	return o.Collation.Provider == "b" || o.Collation.bytewise()
}
