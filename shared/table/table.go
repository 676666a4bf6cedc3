// Package table has the types of the plain data that describes a table on several nodes
// and the ranges of its key. The planner, the workers and the PostgreSQL adapter exchange
// values of these types, and a task's plan stores them as JSON.
//
// Its functions compute only from the data itself. Of ACE's packages, it imports only
// those with the types of the row digest and of errors.
package table

import (
	"errors"
	"slices"
	"strings"

	"ace/shared/rowdigest"
)

// Key holds the text of each key column's value, as PostgreSQL writes it. The columns are
// in the order of the key. Two keys whose texts are the same are equal, but keys with
// different texts may be equal too (1.0 and 1.00). In general, only a server can decide
// whether two keys are equal and which of them is lower, because it compares them as
// values of the columns' types.
type Key []string

// Equal reports whether two keys have the same texts.
func (k Key) Equal(o Key) bool { return slices.Equal(k, o) }

// Len returns the total length of the key's texts in bytes.
func (k Key) Len() (n int) {
	for _, text := range k {
		n += len(text)
	}
	return n
}

// String returns the key for messages: ('7', 'a'). Long texts are shortened.
func (k Key) String() string {
	texts := make([]string, len(k))
	for i, text := range k {
		if runes := []rune(text); len(runes) > 64 {
			text = string(runes[:64]) + "..."
		}
		texts[i] = "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

// Range is a half-open key range: keys >= Lo and < Hi in key order. A nil bound means no
// limit.
type Range struct {
	Lo Key `json:"lo,omitempty"`
	Hi Key `json:"hi,omitempty"`
}

// Sum holds the number of rows in a set of rows and the XOR of their digests.
type Sum struct {
	Rows   int64 `json:"n"`
	Digest int64 `json:"x"`
}

// Add returns the sum of the union of two disjoint sets of rows.
func (s Sum) Add(o Sum) Sum { return Sum{Rows: s.Rows + o.Rows, Digest: s.Digest ^ o.Digest} }

// ErrMore is the error of a function that finds more rows than the caller allows.
var ErrMore = errors.New("the ranges hold more rows than expected")

// PageRange is a half-open range of the heap pages of one partition. A negative To means
// the end of the partition.
type PageRange struct {
	Partition int   `json:"leaf"` // index into Source.Partitions
	From      int64 `json:"from"`
	To        int64 `json:"to"`
}

// Whole reports whether the range has all pages of the partition.
func (r PageRange) Whole() bool { return r.From == 0 && r.To < 0 }

// Buckets selects rows by the hash of their keys: bucket i of n has the rows whose hash
// is i modulo n. Unlike a range, a bucket needs no key order.
type Buckets struct {
	Of      int   `json:"of"`      // number of buckets, a power of two; 0 means that rows are not divided
	Numbers []int `json:"numbers"` // numbers of the selected buckets
}

// Grouping describes how a scan divides rows into groups. If Buckets is 0, the groups are
// key ranges: range i ends before Bounds[i], and the last range has no upper bound.
// Otherwise the groups are buckets, and Buckets is their number. If Coarse is not 0, the
// rows of each page range are divided into Coarse buckets instead, and the rows of all
// page ranges together into Buckets buckets. Both numbers are powers of two, and Buckets
// is at least Coarse.
type Grouping struct {
	Bounds  []Key
	Buckets int
	Coarse  int
	// Parallel is the number of parallel workers that the server may use, in addition to
	// the session's own process, for a statement that reads a whole partition.
	Parallel int
}

// AllPageRanges is the index that PageSums passes to its callback for a sum over all page
// ranges that one statement reads. If Grouping.Coarse is not 0, the sum of each of the
// Grouping.Buckets buckets (a fine bucket) is such a sum.
const AllPageRanges = -1

// Groups returns the number of groups if Coarse is 0.
func (g Grouping) Groups() int {
	if g.Buckets > 0 {
		return g.Buckets
	}
	return len(g.Bounds) + 1
}

// Sample is a sample of a table's keys.
type Sample struct {
	Keys []Sampled
	// Pages is the number of pages that the server read for the sample, and Cached how many
	// of them were in its shared buffers. Both are 0 if they were not counted.
	Pages, Cached int64
}

// Sampled is a key that was found on a sampled page. Samples of the same partition are
// listed in the physical order of their rows.
type Sampled struct {
	Key       Key
	Partition int // index into Source.Partitions; -1 means that the physical order is not known
}

// Listed is the key of a row and the digest of its compared columns.
type Listed struct {
	Key    Key
	Digest int64
}

// KeyedRow is a row that was looked up by its key, with the digest of its compared
// columns.
type KeyedRow struct {
	Digest int64
	Row    Row
	Write  *LastWrite // the last write of the row, if it was requested and is known
}

// LastWrite is the transaction that was the last to write a row.
type LastWrite struct {
	At     string // the time of the commit, such as 2026-11-29T02:00:01.123456Z
	Origin string // the name of the replication origin; "" for a transaction of the node itself
}

// RowStream returns the rows of a list of keys, one at a time and in the order of the
// list. It must be closed.
type RowStream interface {
	// Next returns the next row that exists and the index of its key in the list. An
	// index of -1 means that there are no more rows.
	Next() (int, KeyedRow, error)
	Close() error
}

// Row holds the text of each compared column's value. The columns are in the order of the
// plan. nil means NULL.
type Row []*string

// Equal reports whether two rows have the same texts and the same NULLs.
func (r Row) Equal(o Row) bool {
	return slices.EqualFunc(r, o, SameValue)
}

// SameValue reports whether two values of one column have the same text. NULL equals only
// NULL.
func SameValue(a, b *string) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// Column is a column as the catalog of one node describes it.
type Column struct {
	Name      string         `json:"name"`
	Declared  string         `json:"declared"` // the type as SQL writes it, with its modifier: varchar(10)
	Type      rowdigest.Type `json:"type"`
	NotNull   bool           `json:"not_null,omitempty"`
	Generated bool           `json:"generated,omitempty"`
	// Below is the base type of the column's domain (below all domains), with the modifier
	// of that type. It is empty if the column's type is not a domain.
	Below string `json:"below,omitempty"`
	// Expression is the expression of a generated column, as the server shows it.
	Expression string     `json:"expression,omitempty"`
	Collation  *Collation `json:"collation,omitempty"` // nil: the type has no collation
	CollName   string     `json:"coll_name,omitempty"` // name of the collation, quoted, with schema; empty for the database's default
	Labels     []string   `json:"labels,omitempty"`    // labels of the enum on which the type is based, in order: the type is the enum, or a domain over it or an array of it
}

// Collation holds everything on which the order and the equality of texts depend.
type Collation struct {
	Provider      string `json:"provider"` // c: libc, i: ICU, b: builtin
	Locale        string `json:"locale"`
	Deterministic bool   `json:"deterministic"`
	Version       string `json:"version,omitempty"` // the version of the library in use; empty if unknown
}

// SameOrder reports whether two collations are known to order all texts alike. nil means
// that the type has no collation. Collations with equal locales may differ, because each
// version of a library may order texts differently. So if a version is unknown, SameOrder
// returns false unless both collations order texts by their bytes.
func (c *Collation) SameOrder(o *Collation) bool {
	if c == nil || o == nil {
		return c == o
	}
	return c.bytewise() && o.bytewise() || *c == *o && c.Version != ""
}

// bytewise reports whether the collation is known to order texts by their bytes. It
// returns false for every collation of ICU.
func (c *Collation) bytewise() bool {
	locale := strings.ToUpper(c.Locale)
	return c.Deterministic && c.Provider != "i" && (locale == "C" || locale == "POSIX" || locale == "C.UTF-8" && c.Provider == "b")
}

// Index is a unique index or an exclusion constraint of a table.
type Index struct {
	Name     string
	Primary  bool     // the index is that of the primary key
	Identity bool     // the index is that of the replica identity
	Against  []string // reasons why the index cannot serve as the key; empty if it can
	Columns  []KeyColumn
}

// KeyColumn is a column of the key with the operators of the key's index.
type KeyColumn struct {
	Name     string
	OpSchema string // schema of the operators: pg_catalog except for types of extensions
	Less     string // name of the operator for "less than"; AtLeast and Equal are the operators for "at least" and "equal"
	AtLeast  string
	Equal    string
}

// Description is a table as the catalog of one node describes it.
type Description struct {
	Node          string
	Address       string // host, port and database, as the cluster definition has them
	Server        Identity
	ServerVersion int    // server_version_num, such as 150018
	Encoding      string // server encoding of the database, such as UTF8
	Superuser     bool   // the connected role is a superuser
	UserPath      string // the role's own search_path, such as "public, ext"
	Kind          string // relkind: r (table) or p (partitioned table)
	Only          bool   // the table has inheritance children, whose rows are not compared
	LargeObjects  bool   // the database has large objects
	Role          string // name of the connected role
	Lockable      bool   // the role has SELECT on the whole table, so it may lock the table in ACCESS SHARE mode
	// Unreadable are the columns that the role may not SELECT.
	Unreadable []string
	// Closed are the schemas that unique indexes of the table need and on which the role has
	// no USAGE privilege: the schemas of the indexes' types, operator classes and
	// collations.
	Closed      []string
	Columns     []Column
	Indexes     []Index // all unique indexes and exclusion constraints
	IndexOrders []IndexOrder
	// Partitions are the relations that hold the rows; a plain table has only itself.
	// Relations whose pages cannot be read directly are omitted: the role may not read
	// them, or they are not heaps.
	Partitions []Partition
	// PartitionsHidden means that some rows can be read only through the table itself, not
	// by the pages of its partitions: relations are missing in Partitions, or the filter
	// cannot be applied to a single partition, because it names the table with its schema.
	PartitionsHidden bool
	// TracksCommits means that track_commit_timestamp is on. CommitTimes means that the last
	// writes of rows can be read, too. For this, the server must not be a standby, the role
	// must have the privileges to read them, and all rows of the table must be in heaps.
	TracksCommits, CommitTimes bool
	RowEstimate                int64  // the planner's estimate of the number of rows
	SharedBuffers              int64  // size of the server's shared buffers in pages
	Standby                    bool   // the server is in recovery, and ends statements that delay it
	Probe                      string // digest of constants; it is equal on nodes whose digests can be compared
	Files                      Files
}

// smallPages is 1 GB in pages of 8 kB.
const smallPages = 128 << 10

// Small reports whether the partitions have at most 1 GB together. A statement that needs
// only a few rows may then scan all of them, which takes about a second. Small returns
// false if there are no partitions, because then their size is unknown.
func Small(partitions []Partition) bool {
	var pages int64
	for _, partition := range partitions {
		pages += partition.Pages
	}
	return len(partitions) > 0 && pages <= smallPages
}

// Column returns the column with this name. It returns false if there is none.
func (d *Description) Column(name string) (Column, bool) {
	i := slices.IndexFunc(d.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return d.Columns[i], true
}

// Partition is a relation that holds rows itself: a partition without sub-partitions, or
// a table that is not partitioned.
type Partition struct {
	Relation string `json:"relation"` // the name of the relation, quoted, with its schema
	Filenode uint32 `json:"filenode"` // number of the relation's file, which changes when the relation is rewritten
	Pages    int64  `json:"pages"`    // number of pages at plan time; the relation may have grown since
}

// Parse determines how a statement converts texts to values of a type. Only the input
// function of the type may be called: a user-defined cast could return another value.
type Parse string

const (
	// ParseCast sends the texts as an array of text and casts each to the type. It is safe
	// if only a superuser can define a cast from text to the type.
	ParseCast Parse = ""
	// ParseArray sends the texts as the elements of an array of the type, separated by
	// commas.
	ParseArray Parse = "array"
	// ParseRecord sends the texts in JSON objects. It is for arrays and composite values
	// whose cast is not safe. Neither can be an element of an array that is sent: PostgreSQL
	// has no array of arrays, and unnest splits composite values into columns.
	ParseRecord Parse = "record"
)

// Source describes how the statements of a run read the table on one node. Its names and
// SQL fragments are written at plan time, so that the statements of all workers have the
// same meaning. Fragments are complete and quoted; column references are qualified with
// the table's name.
type Source struct {
	Node       string `json:"node"`
	Relation   string `json:"relation"`    // ONLY "public"."users"; without ONLY if it is partitioned
	Alias      string `json:"alias"`       // "users": the name by which the fragments refer to it
	SearchPath string `json:"search_path"` // the value that set_config sets for search_path
	// Lockable means that the role may lock the table. A transaction then locks the table
	// before it takes its snapshot.
	Lockable bool `json:"lockable,omitempty"`
	// Files are the table's files at plan time. Plans of earlier versions have none.
	Files Files `json:"files,omitzero"`
	// Foreign means that reading the table may run a filter or functions that are not built
	// in (see Access.Foreign).
	Foreign bool     `json:"foreign,omitempty"`
	Key     []string `json:"key"`      // references to the key columns: "users"."id"
	KeyType []string `json:"key_type"` // types of the key columns, for casts of parameters
	// KeyParse is how a statement converts the texts of each key column to values. It is
	// empty in plans of earlier versions; then all texts are cast (ParseCast).
	KeyParse  []Parse  `json:"key_parse,omitempty"`
	KeyEqual  []string `json:"key_equal"`  // the equality operator of each key column: OPERATOR(pg_catalog.=)
	Order     []string `json:"order"`      // expressions that ranges compare: the key columns, or their texts under collation "C"
	OrderType []string `json:"order_type"` // the types of the elements of Order
	// OrderText is used if the nodes have different server encodings. For a key column that
	// is ordered by its text t, Order then has textsend(t), the UTF-8 bytes of t. These
	// bytes have the same order under every encoding. The bounds of ranges hold t itself,
	// and so does the element of OrderText with the same index. For every other element of
	// Order, the element of OrderText is empty or missing, and the bounds hold the value of
	// the element of Order.
	OrderText []string `json:"order_text,omitempty"`
	// ScalarOrder means that Order is one column of a plain base type. width_bucket can be
	// called with such a column directly.
	ScalarOrder bool `json:"scalar_order"`
	// Collate has the collation of each element of Order, quoted. An element is empty for
	// the database's default collation.
	Collate []string `json:"collate"`
	Less    string   `json:"less"`     // operator for "Order is less than a bound": OPERATOR(pg_catalog.<)
	AtLeast string   `json:"at_least"` // operator for "Order is at least a bound": OPERATOR(pg_catalog.>=)
	// OrderGroups divides Order into groups of neighbouring columns that have the same
	// operators. It is set only if the columns have different operators, such as
	// operators in different schemas, because a row comparison has only one operator for
	// all of its columns. Less and AtLeast are empty then.
	OrderGroups []OrderGroup `json:"order_groups,omitempty"`

	Columns []string `json:"columns"` // references to the compared columns, in the plan's order
	Digest  string   `json:"digest"`  // expression for the row digest, a bigint
	// TextDigest is an expression for a digest of a row that depends only on the texts of
	// its values. It is empty if Digest itself is always the same for rows with the same
	// texts.
	TextDigest string `json:"text_digest,omitempty"`
	// KeyDigest is an expression for the digest of the key columns only, a bigint. It is
	// empty if rows are digested with SHA-256.
	KeyDigest string `json:"key_digest,omitempty"`
	// KeyHash is an expression for a bigint that is the same for equal keys on every node.
	// It is empty if no such expression is known, or if rows are digested with SHA-256.
	KeyHash string `json:"key_hash,omitempty"`
	// KeyIndex is the name of the key's index with its schema, quoted where SQL requires
	// it.
	KeyIndex string `json:"key_index,omitempty"`
	// Unversioned means that the order of KeyIndex depends on a collation whose version is
	// unknown. With a filter, it means that this is true of at least one index of the table,
	// because the server may use any index to find the rows that a filter selects.
	Unversioned bool `json:"unversioned,omitempty"`
	// Unindexed means that statements must not use any index of the table, because one of
	// the indexes may be out of order.
	Unindexed bool `json:"unindexed,omitempty"`
	// Writes means that Rows also returns the last write of each row.
	Writes     bool        `json:"-"`
	Filter     string      `json:"filter,omitempty"`
	Within     Buckets     `json:"within,omitzero"` // only the rows of these buckets are read
	Partitions []Partition `json:"leaves,omitempty"`
}

// OrderGroup is a group of neighbouring columns of Source.Order that have the same
// operators.
type OrderGroup struct {
	Columns int    `json:"columns"` // number of columns in the group
	Less    string `json:"less"`
	AtLeast string `json:"at_least"`
	Equal   string `json:"equal"`
}

// Files identifies the files that hold a table's rows. The value changes whenever the
// table or one of its partitions is rewritten, truncated or replaced, and whenever a
// partition is attached or detached.
type Files struct {
	OID    string `json:"oid"`    // OID of the table
	Digest string `json:"digest"` // digest of the OIDs and file numbers of the table and all of its partitions
}

// IsZero reports whether the files are not known.
func (f Files) IsZero() bool { return f == Files{} }

// Access describes a transaction on a table: what its first statements set and lock, and
// what its reads check. It must be known before the first statement of the transaction.
type Access struct {
	SearchPath string
	// Relation is the table, as a FROM clause names it. Empty means that it is not known.
	Relation string
	// Lock means that the transaction locks the relation in ACCESS SHARE mode before it
	// takes its snapshot.
	Lock bool
	// Files are the files that the relation must have. Each read checks this after its
	// statements. The transaction still holds the locks of these statements then, so the
	// relation cannot have been rewritten between the statements and the check. The zero
	// value means no check.
	Files Files
	// Foreign means that the transaction may run a filter or functions that are not built
	// in. These may leave state in the session, so the session is reset when the transaction
	// ends.
	Foreign bool
	// UserSQL means that the transaction runs a table_filter. A function in the filter may
	// leave state that no reset of the session removes. So the session is not used again for
	// a transaction without a table_filter.
	UserSQL bool
}

// Access returns what a transaction that reads the table locks and checks. If the role
// may lock the table, the transaction locks it. Otherwise each read checks the table's
// files. Both ensure that the snapshot is not older than a rewrite of the table. A plan
// of an earlier version of ACE has neither Files nor Lockable. Its transactions lock the
// table.
func (s Source) Access() Access {
	a := Access{
		SearchPath: s.SearchPath, Relation: s.Relation, Lock: s.Relation != "" && (s.Lockable || s.Files.IsZero()),
		Foreign: s.Foreign || s.Filter != "", UserSQL: s.Filter != "",
	}
	if !a.Lock {
		a.Files = s.Files
	}
	return a
}

// Strict is like Access for a transaction whose reads always check that the table still
// has the files that the plan recorded.
func (s Source) Strict() Access {
	a := s.Access()
	a.Files = s.Files
	return a
}

// Unguarded returns a copy of the access without the lock and the check of the files. It
// is for a transaction that must not hold a lock from its beginning. The caller must
// prevent or detect a rewrite of the table in another way: it must lock the table later,
// or check the files with each read.
func (a Access) Unguarded() Access {
	a.Lock, a.Files = false, Files{}
	return a
}

// Name returns schema.table for messages, quoted only where SQL requires it.
func Name(schema, name string) string { return Display(schema) + "." + Display(name) }

// Display returns an identifier as messages show it: quoted only if SQL requires it.
func Display(identifier string) string {
	plain := identifier != "" && (identifier[0] == '_' || identifier[0] >= 'a' && identifier[0] <= 'z')
	for i := 0; i < len(identifier) && plain; i++ {
		c := identifier[i]
		plain = c == '_' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
	}
	if plain {
		return identifier
	}
	return Quote(identifier)
}

// Quote returns an identifier as SQL writes it, in quotes.
func Quote(identifier string) string {
	return `"` + strings.ReplaceAll(identifier, `"`, `""`) + `"`
}

// Literal returns a string constant that does not depend on standard_conforming_strings.
// For a text with a backslash, it begins with a space and the letter E. The space
// separates the E from the word before it.
func Literal(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// WithoutOnly removes ONLY from a relation of a FROM clause. The result is the name of
// the table, for messages, for casts to regclass, and for comparisons with plans of
// earlier versions of ACE. These versions wrote ONLY just for tables with inheritance
// children.
func WithoutOnly(relation string) string { return strings.TrimPrefix(relation, "ONLY ") }

// Relation returns the table as a FROM clause names it. ONLY excludes the rows of
// inheritance children. A table that is not partitioned may get such children at any
// time.
func (d *Description) Relation(schema, name string) string {
	relation := Quote(schema) + "." + Quote(name)
	if d.Kind == "r" {
		return "ONLY " + relation
	}
	return relation
}
