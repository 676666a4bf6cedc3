package rowdigest

import "fmt"

// Options of an expression, the same for all nodes of a run.
type Options struct {
	SameEncoding bool // all nodes have the same server_encoding
	ForceText    bool // the nodes have different types for the column
}

// Expr writes the expression that enters the row digest for a column. ref is an SQL reference such as t."a".
func Expr(ref string, c Column, o Options) string {
	t := treatmentOf(c)
	switch {
	case o.ForceText || t.method == Text:
		return text(ref)
	case t.send == arraySend:
		return array(inBase(ref, c.Type))
	case t.method == Send || t.send != "" && !o.SameEncoding:
		return call(t.send, inBase(ref, c.Type))
	default:
		return inBase(ref, c.Type)
	}
}

// TextExpr writes what Expr does, for the digest that is equal wherever the texts are: a column that may have two forms
// with one text is digested by its text. twins reports whether that is another expression than Expr's.
func TextExpr(ref string, c Column, o Options) (expr string, twins bool) {
	if o.ForceText || !hasTwins(c) {
		return Expr(ref, c, o), false
	}
	return text(ref), true
}

// array writes the binary form of an array with its flags set to zero. The flags, bytes 4 to 7,
// hold 1 if the array has room for a bitmap of NULLs, which it may have without a NULL. Each element
// states itself whether it is NULL.
func array(value string) string {
	return call("set_byte", call(arraySend, value)+", 7, 0")
}

// text writes the bytes of what the type's output function gives, in the client's encoding, so that neither a collation
// nor the server's encoding matters. A cast to text would not do: some lose what the output shows (bpchar its
// blanks), some write it differently (bool, inet), and an extension's may do anything.
//
// concat calls the output function, but makes NULL an empty string. IS DISTINCT FROM NULL looks at the value as a whole,
// where IS NOT NULL would look into a composite.
func text(ref string) string {
	return fmt.Sprintf("CASE WHEN %s IS DISTINCT FROM NULL THEN %s END", ref, call("textsend", call("concat", ref)))
}

// inBase casts a domain's value to the type it stands on.
func inBase(ref string, t Type) string {
	if t.Base == nil {
		return ref
	}
	return "(" + ref + ")::" + baseOf(t).SQL
}

// call names the schema, since a function of the same name with closer parameters would win from any schema.
func call(function, args string) string {
	return "pg_catalog." + function + "(" + args + ")"
}
