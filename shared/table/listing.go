package table

// Selection selects tables of a database, in the order of the bytes of schema and name.
type Selection struct {
	Schema                 string // "" means all schemas except those of the system
	AfterSchema, AfterName string // only tables after the table with this name; "" means from the first table
	Limit                  int
	Partitions             bool // also tables that are partitions
}

// Listing describes a table in a list of tables.
type Listing struct {
	Schema, Name string
	RowEstimate  *int64 // nil if there is no estimate
	// Keys has the fields of the description that decide which key a comparison uses: Node,
	// Indexes, and the columns of the unique indexes (only with Name, Declared and Type).
	// The other fields of Keys are not set.
	Keys *Description
}
