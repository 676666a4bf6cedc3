package catalog

// Property is the name of a property of an object, as messages show it.
type Property string

// Properties of several kinds of objects.
const (
	Owner      Property = "owner"
	Grants     Property = "grants" // JSON: privileges by role; the role "" is PUBLIC
	Comment    Property = "comment"
	Definition Property = "definition"
	Options    Property = "options"
	Enabled    Property = "enabled"
	Version    Property = "version"
	InSchema   Property = "schema"
	Used       Property = "used" // "true" for an extension or function that objects of the schemas use; not compared
	ObjectName Property = "name" // the name of a constraint; compared for primary keys, whose ID has no name
)

// Properties of tables, foreign tables, views and materialized views.
const (
	Persistence     Property = "persistence"
	PartitionKey    Property = "partition key"
	Parents         Property = "parents" // JSON: qualified names of the partitioned table, or of the tables from which the table inherits
	Bounds          Property = "partition bounds"
	DetachPending   Property = "detach pending" // "true" after an interrupted DETACH ... CONCURRENTLY
	RowSecurity     Property = "row security"
	ReplicaIdentity Property = "replica identity"
	ReplicaIndex    Property = "replica index" // the name of the index of the replica identity; not compared
	AccessMethod    Property = "access method"
	Tablespace      Property = "tablespace"
	OfType          Property = "type"
	Server          Property = "server"
	Populated       Property = "populated"
)

// Properties of columns, domains and collations.
const (
	Type          Property = "type"
	NotNull       Property = "not null"
	Default       Property = "default"
	Identity      Property = "identity"
	Generated     Property = "generated"
	CollationName Property = "collation" // JSON: the qualified name of the collation
	Storage       Property = "storage"
	Compression   Property = "compression"
	Target        Property = "statistics target"
	Inherited     Property = "inherited" // "true" if the table has the column only because a parent has it; not compared
	Position      Property = "position"  // the number of the column in its table; not compared
	Provider      Property = "provider"
	Locale        Property = "locale"
	Deterministic Property = "deterministic"
	Recorded      Property = "recorded version"
	Actual        Property = "actual version"
	Encoding      Property = "encoding"
)

// Properties of constraints, indexes, triggers and policies.
const (
	Deferrable Property = "deferrable"
	Validated  Property = "validated"
	Enforced   Property = "enforced"
	Unique     Property = "unique"
	Valid      Property = "valid"
	Clustered  Property = "clustered"
	Command    Property = "command"
	Permissive Property = "permissive"
	Roles      Property = "roles"
	Using      Property = "using"
	WithCheck  Property = "with check"
)

// Properties of types, functions, sequences and publications.
const (
	Labels    Property = "labels"
	Members   Property = "attributes" // JSON: name and type of each attribute
	Procedure Property = "procedure"  // "true" for a procedure; not compared
	Start     Property = "start"
	Increment Property = "increment"
	Minimum   Property = "minimum"
	Maximum   Property = "maximum"
	Cache     Property = "cache"
	Cycle     Property = "cycle"
	OwnedBy   Property = "owned by" // JSON: schema, table and column of the column that owns the sequence
	Internal  Property = "internal" // "true" for the sequence of an identity column; not compared
	AllTables Property = "all tables"
	Filter    Property = "row filter"
	Columns   Property = "columns"
)
