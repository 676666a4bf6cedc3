// Package table holds the plain data that describes a table on several nodes and the ranges of its key: what the
// planner, the workers and the PostgreSQL adapter hand to each other, and what the plan of a task stores as JSON.
//
// It has no behaviour beyond small questions about itself and imports nothing but the row digest's types and the error type.
package table

import (
	"errors"
	"slices"
	"strings"

	"ace/shared/rowdigest"
)

// Key is the value of each key column as PostgreSQL's text output, in key order. Keys are compared in SQL, as the
// columns' own types; in Go two equal texts are the same key, two different texts may still be.
type Key []string

// Equal says whether two keys are the same text.
func (k Key) Equal(o Key) bool { return slices.Equal(k, o) }

// Len is the bytes of the key's texts.
func (k Key) Len() (n int) {
	for _, text := range k {
		n += len(text)
	}
	return n
}

// String writes the key for people: (7, 'a').
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

// Range is half-open: keys >= Lo and < Hi in the run's order. A nil bound is an open end.
type Range struct {
	Lo Key `json:"lo,omitempty"`
	Hi Key `json:"hi,omitempty"`
}

// Sum is what a node says of a set of rows: how many there are, and the XOR of their digests.
type Sum struct {
	Rows   int64 `json:"n"`
	Digest int64 `json:"x"`
}

// Add combines the sums of two disjoint sets of rows.
func (s Sum) Add(o Sum) Sum { return Sum{Rows: s.Rows + o.Rows, Digest: s.Digest ^ o.Digest} }

// ErrMore is what a listing gives up with when it meets more rows than the caller has room for.
var ErrMore = errors.New("the ranges hold more rows than expected")

// PageRange is a half-open range of the heap pages of one partition. To < 0 means up to the end.
type PageRange struct {
	Partition int   `json:"leaf"` // index into Source.Partitions
	From      int64 `json:"from"`
	To        int64 `json:"to"`
}

// Buckets divide rows by their keys' hash: bucket i of n holds those whose hash is i modulo n. No order is needed for that.
type Buckets struct {
	Of      int   `json:"of"` // a power of two; 0: rows are not divided
	Numbers []int `json:"numbers"`
}

// Grouping says how the rows of a scan are told apart: by ranges between Bounds (range i lies below Bounds[i], the last
// above them all) or, if Buckets is not 0, by that many buckets. If Coarse is not 0, which divides Buckets, the rows of each span
// are also told apart by so many buckets.
type Grouping struct {
	Bounds  []Key
	Buckets int
	Coarse  int
}

// AllPageRanges stands for all page ranges of a scan.
const AllPageRanges = -1

// Groups is how many groups there are.
func (g Grouping) Groups() int {
	if g.Buckets > 0 {
		return g.Buckets
	}
	return len(g.Bounds) + 1
}

// Sampled is a key that was found on a sampled page. The samples of one partition are in physical
// order.
type Sampled struct {
	Key       Key
	Partition int // index into Source.Partitions; -1 means that the physical order is not known
}

// Listed is a row as narrowing sees it: its key, and the digest of all its compared columns.
type Listed struct {
	Key    Key
	Digest int64
}

// KeyedRow is a row found by its key: what it holds, and the digest of that.
type KeyedRow struct {
	Digest int64
	Row    Row
}

// RowStream gives the rows found for a list of keys, in the list's order, one at a time. It must be closed.
type RowStream interface {
	// Next gives the next row and its key's place in the list; a place of -1 is the end.
	Next() (int, KeyedRow, error)
	Close() error
}

// Row is the text of each compared column in the plan's order; nil is NULL.
type Row []*string

// Equal says whether two rows have the same stored values.
func (r Row) Equal(o Row) bool {
	return slices.EqualFunc(r, o, SameValue)
}

// SameValue compares two values of one column; NULL equals only NULL.
func SameValue(a, b *string) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// Column is a column as one node's catalogue has it.
type Column struct {
	Name      string         `json:"name"`
	Declared  string         `json:"declared"` // as a person would write it, with its modifier: varchar(10)
	Type      rowdigest.Type `json:"type"`
	NotNull   bool           `json:"not_null,omitempty"`
	Generated bool           `json:"generated,omitempty"`
	// Below is the type below the domains that a column's type is one of, with its modifier.
	Below string `json:"below,omitempty"`
	// Expression is that of a generated column, as the server shows it.
	Expression string     `json:"expression,omitempty"`
	Collation  *Collation `json:"collation,omitempty"` // nil: the type has none
	CollName   string     `json:"coll_name,omitempty"` // quoted, with schema; empty for the database's default
	Labels     []string   `json:"labels,omitempty"`    // of an enum (or a domain over one), in order
}

// Collation is all that decides how a column's text is ordered and compared.
type Collation struct {
	Provider      string `json:"provider"` // c libc, i ICU, b builtin
	Locale        string `json:"locale"`
	Deterministic bool   `json:"deterministic"`
	Version       string `json:"version,omitempty"` // the actual one, of the library in use
}

// SameOrder says whether text ordered under one is ordered under the other: never guessed from names alone, so an
// order whose version nobody tells is the same as no other.
func (c *Collation) SameOrder(o *Collation) bool {
	if c == nil || o == nil {
		return c == o
	}
	return c.bytewise() && o.bytewise() || *c == *o && c.Version != ""
}

// bytewise says whether the order is that of the bytes, whoever provides it.
func (c *Collation) bytewise() bool {
	locale := strings.ToUpper(c.Locale)
	return c.Deterministic && c.Provider != "i" && (locale == "C" || locale == "POSIX" || locale == "C.UTF-8" && c.Provider == "b")
}

// Index is a unique index or an exclusion constraint of a table.
type Index struct {
	Name     string
	Primary  bool     // it is the primary key
	Identity bool     // it is the replica identity
	Against  []string // why it cannot serve as the key; empty if it can
	Columns  []KeyColumn
}

// KeyColumn is a column of the key with the operators of the key's own index.
type KeyColumn struct {
	Name     string
	OpSchema string // schema of the operators: pg_catalog but for extension types
	Less     string // names of the operators: <, >=, =
	AtLeast  string
	Equal    string
}

// Description is a table as one node's catalogue has it.
type Description struct {
	Node          string
	Address       string // where the definition says that it is
	Server        Identity
	ServerVersion int    // as server_version_num: 150018
	Encoding      string // of the database: UTF8
	Superuser     bool   // of the connected role
	UserPath      string // the role's own search_path, resolved: "public, ext"
	Kind          string // relkind: r, p
	Only          bool   // an inheritance parent: its children are not part of it
	LargeObjects  bool   // the database holds some
	Lockable      bool   // the role may SELECT from the table as a whole, and so may lock it
	Columns       []Column
	Indexes       []Index // those that the key may be taken from, and the others with the reasons against them
	IndexOrders   []IndexOrder
	// Partitions are the relations that hold the rows: one for a plain table. Those that the role may not
	// read are left out.
	Partitions []Partition
	// PartitionsHidden reports that the role may read some partitions only through their parent.
	PartitionsHidden bool
	RowEstimate      int64  // the planner's
	Probe            string // digest of constants: the same on nodes whose digests can be compared
	Files            Files
}

// smallPages is 1 GB in pages of 8 kB.
const smallPages = 128 << 10

// Small reports whether these relations can be read as a whole to look for a few rows, which takes a
// second or so. Partitions that may not be read, and so are not listed, count as large.
func Small(partitions []Partition) bool {
	var pages int64
	for _, partition := range partitions {
		pages += partition.Pages
	}
	return len(partitions) > 0 && pages <= smallPages
}

// Column gives the column of that name.
func (d *Description) Column(name string) (Column, bool) {
	i := slices.IndexFunc(d.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return d.Columns[i], true
}

// Partition is a relation that holds rows itself: a partition without sub-partitions, or a table that is
// not partitioned.
type Partition struct {
	Relation string `json:"relation"` // quoted, with schema
	Filenode uint32 `json:"filenode"` // changes when the table is rewritten
	Pages    int64  `json:"pages"`    // at plan time; it may have grown since
}

// Parse is the way in which a statement makes a value of a text. Only the type's own input function
// may be called: what a user-defined cast makes of a text is another value.
type Parse string

const (
	// ParseCast casts the text. It is right where only a superuser can define a cast from text.
	ParseCast Parse = ""
	// ParseArray sends an array of the type, whose elements have a comma between them.
	ParseArray Parse = "array"
	// ParseRecord sends JSON, for types of which an array does not have the values as its elements: arrays
	// of arrays have more dimensions, and those of composite types come apart into columns.
	ParseRecord Parse = "record"
)

// Source is one node's table as the statements of a run read it: names and SQL fragments decided at plan time, so that
// every statement of every worker means the same. Fragments are complete and quoted; column references are qualified
// with the table's name.
type Source struct {
	Node       string `json:"node"`
	Relation   string `json:"relation"`    // "public"."users", with ONLY for an inheritance parent
	Alias      string `json:"alias"`       // "users": how the fragments refer to it
	SearchPath string `json:"search_path"` // value for set_config
	// Lockable: the role may lock the table, so that it is locked before the snapshot is taken.
	Lockable bool `json:"lockable,omitempty"`
	// Files are those of the table at plan time. Plans of earlier versions have none.
	Files Files `json:"files,omitzero"`
	// Foreign: reading the table may run SQL or functions that are not built in.
	Foreign bool     `json:"foreign,omitempty"`
	Key     []string `json:"key"`      // references of the key columns
	KeyType []string `json:"key_type"` // their types, for casts of parameters
	// KeyParse says how a statement makes values of the key's texts; none in plans of earlier versions,
	// which cast them.
	KeyParse  []Parse  `json:"key_parse,omitempty"`
	KeyEqual  []string `json:"key_equal"`  // the key index's equality: OPERATOR(pg_catalog.=)
	Order     []string `json:"order"`      // what the ranges compare: Key, or its text under "C"
	OrderType []string `json:"order_type"` // the types of Order
	// OrderText: the texts of the bounds where Order is the bytes of that text in UTF-8, which is the same
	// order under every server encoding; empty where the bounds are the texts of Order.
	OrderText []string `json:"order_text,omitempty"`
	// ScalarOrder: Order is one column of a plain base type, so that width_bucket takes it as it is.
	ScalarOrder bool `json:"scalar_order"`
	// Collate: the collations of Order, quoted, where they are not the database's default.
	Collate []string `json:"collate"`
	Less    string   `json:"less"`     // operators between Order and a bound: OPERATOR(pg_catalog.<) or <
	AtLeast string   `json:"at_least"` //
	// OrderGroups divides Order where its operators are of several schemas, which one row comparison
	// cannot name. Less and AtLeast are empty then.
	OrderGroups []OrderGroup `json:"order_groups,omitempty"`

	Columns []string `json:"columns"` // references of the compared columns, in the plan's order
	Digest  string   `json:"digest"`  // the row digest, a bigint
	// TextDigest is a row digest that is equal wherever the texts are; empty where Digest is one.
	TextDigest string `json:"text_digest,omitempty"`
	// KeyDigest digests the key's columns alone, a bigint; empty where Digest is not made of hashes.
	KeyDigest string `json:"key_digest,omitempty"`
	// KeyHash is a bigint that is the same for equal keys on every node; empty where nobody vouches for that.
	KeyHash string `json:"key_hash,omitempty"`
	// KeyIndex is the name of the key's index, quoted where SQL asks for it, with schema.
	KeyIndex string `json:"key_index,omitempty"`
	// Unversioned: the order of that index depends on a collation of which no version is known.
	Unversioned bool `json:"unversioned,omitempty"`
	// Unindexed: statements must not use an index of the table, since one of them may be out of order.
	Unindexed  bool        `json:"unindexed,omitempty"`
	Filter     string      `json:"filter,omitempty"`
	Within     Buckets     `json:"within,omitzero"` // only the rows of these are read
	Partitions []Partition `json:"leaves,omitempty"`
}

// OrderGroup is a run of neighbouring columns of a source's Order that share their operators.
type OrderGroup struct {
	Columns int    `json:"columns"` // how many
	Less    string `json:"less"`
	AtLeast string `json:"at_least"`
	Equal   string `json:"equal"`
}

// Files identifies the files that hold a table's rows. They change whenever the table or one of its
// partitions is rewritten, truncated, replaced, attached or detached.
type Files struct {
	OID    string `json:"oid"`    // of the table
	Digest string `json:"digest"` // of the OIDs and file numbers of the table and all of its partitions
}

// IsZero reports whether the files are not known.
func (f Files) IsZero() bool { return f == Files{} }

// Access is what a transaction on a table needs to know before its first statement.
type Access struct {
	SearchPath string
	// Relation is the table, as a FROM clause names it. Empty: it is not known.
	Relation string
	// Lock: the relation is locked in ACCESS SHARE mode before the transaction takes its snapshot.
	Lock bool
	// Files: every read checks that the relation has these files, while it holds the lock that the
	// read took. Zero: no read does.
	Files Files
	// Foreign: the transaction may run SQL or functions that are not built in, which may leave something
	// in the session. The session is reset when the transaction ends.
	Foreign bool
	// UserSQL: the transaction runs a table_filter. Its session serves no transaction without one.
	UserSQL bool
}

// Access returns how a transaction that reads the table begins. Either the lock or the check of the
// files makes sure that its snapshot is not older than a rewrite of the table. A plan of an earlier
// version does not say whether the role may lock the table, and has nothing to check: it locks.
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

// Strict returns how a transaction begins that must read the very files of the plan.
func (s Source) Strict() Access {
	a := s.Access()
	a.Files = s.Files
	return a
}

// Unguarded returns the same access without lock and check, for a transaction that outlives the
// locks of its reads. Its reads must check the files themselves.
func (a Access) Unguarded() Access {
	a.Lock, a.Files = false, Files{}
	return a
}

// Name writes schema.table for people: quoted only where SQL asks for it.
func Name(schema, name string) string { return display(schema) + "." + display(name) }

func display(identifier string) string {
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

// Quote writes an identifier as SQL.
func Quote(identifier string) string {
	return `"` + strings.ReplaceAll(identifier, `"`, `""`) + `"`
}

// Relation is how a FROM clause names the table: its children are part of it only if it is partitioned.
func (d *Description) Relation(schema, name string) string {
	relation := Quote(schema) + "." + Quote(name)
	if d.Only {
		return "ONLY " + relation
	}
	return relation
}
