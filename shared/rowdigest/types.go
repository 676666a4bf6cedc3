package rowdigest

// Type is what a node's catalogue says of a type.
type Type struct {
	OID    uint32 `json:"oid,omitempty"`
	Schema string `json:"schema"`
	Name   string `json:"name"`           // pg_type.typname
	SQL    string `json:"sql"`            // with its schema, quoted where needed: fit for a cast under any search_path
	Kind   byte   `json:"kind"`           // pg_type.typtype
	Elem   *Type  `json:"elem,omitempty"` // of a true array (typcategory A)
	Base   *Type  `json:"base,omitempty"` // of a domain
	// Extension is the name of the extension that the type belongs to; empty if it
	// belongs to none.
	Extension string `json:"extension,omitempty"`
}

// Column is a column as the digest sees it.
type Column struct {
	Type          Type
	Deterministic bool // its collation; true when the type has none
}

// Method is how a column's value enters the digest.
type Method string

// The methods. NULL stays NULL under each of them.
const (
	Self Method = "self" // the value itself: its hash function tells apart what its text tells apart
	Send Method = "send" // the bytes of its send function
	Text Method = "text" // the bytes of its text
)

// firstNormalOID is where the OIDs of objects begin that initdb did not make.
const firstNormalOID = 16384

// MethodOf says how a column is digested where all nodes have the same server encoding and the same type.
func MethodOf(c Column) Method {
	return treatmentOf(c).method
}

// treatment is what is done with values of a type.
type treatment struct {
	method Method
	send   string // the function, for Send and for what cannot be Self between these nodes
}

// treatmentOf looks through domains: a domain is treated as its base.
func treatmentOf(c Column) treatment {
	t := baseOf(c.Type)
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

// sendsItsElements: array_send writes the elements' OID, so the element must have the same one everywhere, which a
// domain has not.
func sendsItsElements(elem Type) bool {
	named, ok := builtin(elem)
	return ok && named.method != Text
}

// arraySend is the send function of arrays.
const arraySend = "array_send"

// hasTwins reports whether two values of a column may look alike as text and be digested differently. Only types whose
// text determines every byte that is digested are known to have no such twins: a float's NaN has a sign, and the tree of
// a tsquery may have several shapes.
func hasTwins(c Column) bool {
	if treatmentOf(c).method == Text {
		return false
	}
	switch baseOf(c.Type).Name {
	case "bool", "int2", "int4", "int8", "oid", "xid8", "pg_lsn", "money", "uuid", "bytea", "char", "name", "text", "varchar",
		"bpchar", "json", "jsonb", "jsonpath", "date", "time", "timetz", "timestamp", "timestamptz", "interval",
		"inet", "cidr", "macaddr", "macaddr8":
		return false
	}
	return true
}

func baseOf(t Type) Type {
	for t.Base != nil {
		t = *t.Base
	}
	return t
}

func fromInitdb(t Type) bool { return t.Schema == "pg_catalog" && t.OID < firstNormalOID }

// isText: the types whose hash depends on a collation and, as bytes, on the server's encoding.
func isText(t Type) bool { return fromInitdb(t) && (t.Name == "text" || t.Name == "varchar") }

// builtin lists the types that come with PostgreSQL, by name. What is not here is digested by its text; a test fails
// when a server version brings a type that is not here.
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

// sendFunction gives the send function of the types whose binary form is as exact as their text. Empty for others.
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

// byText names the built-in types that only their text makes comparable: those that are OIDs below, have no send
// function, or are internal to PostgreSQL and not worth more.
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
