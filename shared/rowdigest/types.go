package rowdigest

// Type is a type as the catalog of one node describes it.
type Type struct {
	OID    uint32 `json:"oid,omitempty"`
	Schema string `json:"schema"`
	Name   string `json:"name"`           // the name, as in pg_type.typname
	SQL    string `json:"sql"`            // name with schema, quoted where needed, for casts under any search_path
	Kind   byte   `json:"kind"`           // the kind of the type, as in pg_type.typtype
	Elem   *Type  `json:"elem,omitempty"` // element type of a true array (typcategory A)
	Base   *Type  `json:"base,omitempty"` // base type of a domain
	// Extension is the name of the extension to which the type belongs, or empty.
	Extension string `json:"extension,omitempty"`
}

// Column holds the properties of a column on which its digest depends.
type Column struct {
	Type          Type
	Deterministic bool // the collation is deterministic, or the type has none
}

// Method is the form in which the digest of a row contains the value of a column.
type Method string

// The methods. NULL stays NULL with each of them.
const (
	Self Method = "self" // the value itself: its hash function distinguishes values exactly as their texts do
	Send Method = "send" // the bytes that the send function of its type returns
	Text Method = "text" // the bytes of the value's text
)

// firstNormalOID is the first OID of objects that initdb did not create.
const firstNormalOID = 16384

// MethodOf returns how a column is digested if all nodes have the same server encoding
// and the same type.
func MethodOf(c Column) Method {
	return treatmentOf(c).method
}

// treatment describes how values of a type are digested.
type treatment struct {
	method Method
	// send is the send function that the digest calls: always with the method Send; with the
	// method Self only if the nodes have different server encodings. It is empty if the
	// digest calls no send function.
	send string
}

// treatmentOf returns how values of a column are digested. A domain is digested as its
// base type.
func treatmentOf(c Column) treatment {
	t := c.Type.Underlying()
	if named, ok := builtin(t); ok {
		if isText(t) && !c.Deterministic {
			named.method = Send
		}
		return named
	}
	if t.Elem != nil && sendsItsElements(*t.Elem) {
		return treatment{method: Send, send: arraySend}
	}
	return treatment{method: Text}
}

// sendsItsElements reports whether an array with these elements is digested by
// array_send. array_send writes the OID of the element type, so this OID must be the same
// on every node. That is true only of built-in types, not of domains or enums, for
// example.
func sendsItsElements(elem Type) bool {
	named, ok := builtin(elem)
	return ok && named.method != Text
}

// arraySend is the send function of arrays.
const arraySend = "array_send"

// hasTwins reports whether two values of a column may have the same text but different
// digests. For example, a float's NaN has a sign that its text does not show, and the
// tree of a tsquery may have several shapes. It returns false only if the text of a value
// determines every digested byte.
func hasTwins(c Column) bool {
	if treatmentOf(c).method == Text {
		return false
	}
	switch c.Type.Underlying().Name {
	case "bool", "int2", "int4", "int8", "oid", "xid8", "pg_lsn", "money", "uuid", "bytea", "char", "name", "text", "varchar",
		"bpchar", "json", "jsonb", "jsonpath", "date", "time", "timetz", "timestamp", "timestamptz", "interval",
		"inet", "cidr", "macaddr", "macaddr8":
		return false
	}
	return true
}

// Underlying returns the base type of a domain. If that is a domain too, it returns the
// base type of that domain, and so on. For any other type, it returns the type itself.
func (t Type) Underlying() Type {
	for t.Base != nil {
		t = *t.Base
	}
	return t
}

func fromInitdb(t Type) bool { return t.Schema == "pg_catalog" && t.OID < firstNormalOID }

// isText reports whether a type is text or varchar. The hash of a value of such a type
// depends on the collation, and the bytes of the value on the server encoding.
func isText(t Type) bool { return fromInitdb(t) && (t.Name == "text" || t.Name == "varchar") }

// builtin returns the treatment of a type that comes with PostgreSQL. It returns false
// for other types, and for names that none of its lists contains. A test fails if a
// server version has a built-in type that is in no list.
func builtin(t Type) (treatment, bool) {
	if !fromInitdb(t) {
		return treatment{}, false
	}

	switch t.Name {
	case "bool", "int2", "int4", "oid", "date", "uuid", "bytea", "char", "inet", "cidr", "macaddr", "macaddr8":
		return treatment{method: Self}, true
	case "text", "name":
		return treatment{method: Self, send: t.Name + "send"}, true
	case "varchar":
		return treatment{method: Self, send: "varcharsend"}, true
	}

	if send := sendFunction(t.Name); send != "" {
		return treatment{method: Send, send: send}, true
	}

	return treatment{method: Text}, byText(t.Name)
}

// sendFunction returns the send function of a type whose binary form distinguishes all
// values that its text distinguishes. It returns "" for other types.
func sendFunction(name string) string {
	switch name {
	case "int8", "float4", "float8", "bpchar", "tsvector", "tsquery", "xid8":
		return name + "send"
	case "money":
		return "cash_send"
	case "polygon":
		return "poly_send"
	case "numeric", "time", "timetz", "timestamp", "timestamptz", "interval", "json", "jsonb", "xml", "bit", "varbit",
		"point", "lseg", "path", "box", "line", "circle", "jsonpath", "pg_lsn":
		return name + "_send"
	case "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange":
		return "range_send"
	case "int4multirange", "int8multirange", "nummultirange", "tsmultirange", "tstzmultirange", "datemultirange":
		return "multirange_send"
	}
	return ""
}

// byText reports whether a built-in type can only be compared by its text. There are
// three reasons: its values are OIDs, it has no send function, or it is internal to
// PostgreSQL and too rare for another method.
func byText(name string) bool {
	switch name {
	case "regproc", "regprocedure", "regoper", "regoperator", "regclass", "regtype", "regconfig", "regdictionary",
		"regnamespace", "regrole", "regcollation":
		return true
	case "aclitem", "gtsvector":
		return true
	case "int2vector", "oidvector", "tid", "xid", "cid", "refcursor", "txid_snapshot", "pg_snapshot", "pg_node_tree",
		"pg_ndistinct", "pg_dependencies", "pg_mcv_list", "pg_brin_bloom_summary", "pg_brin_minmax_multi_summary":
		return true
	}
	return false
}
