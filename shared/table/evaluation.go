package table

// Evaluation describes how a node evaluates expressions over the versions of a row. A
// version is the row that one node of the cluster has for a key. The versions are
// parameters of the statement.
type Evaluation struct {
	// Path is the search_path of the expressions.
	Path string `json:"path"`
	// Nodes are the names by which an expression refers to the versions, without quotes.
	Nodes []string `json:"nodes"`
	// Columns are the columns of each version, as the evaluating node converts and compares
	// them.
	Columns []Comparison `json:"columns"`
	// Key has the index in Columns of each column of the key, and KeyEqual the equality
	// operator of that column, such as OPERATOR(pg_catalog.=).
	Key      []int    `json:"key"`
	KeyEqual []string `json:"key_equal"`
}

// Comparison is a column whose values a node converts and compares.
type Comparison struct {
	Conversion
	// Collation is the column's collation, quoted, with its schema. It is empty for the
	// default collation of the database, and for a type without a collation.
	Collation string `json:"collation,omitempty"`
}

// Access returns the access for a transaction that evaluates expressions of the user.
func (e Evaluation) Access() Access {
	return Access{SearchPath: e.Path, Foreign: true, UserSQL: true}
}
