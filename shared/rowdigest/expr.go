package rowdigest

import "fmt"

// Options are the options of Expr and TextExpr. The options for a column must be the same
// for all nodes of a comparison.
type Options struct {
	SameEncoding bool // all nodes have the same server_encoding
	ForceText    bool // the column is digested by its text: the nodes have different types or modifiers for it
}

// Expr returns the expression whose value the row digest contains for a column. ref is an
// SQL reference such as t."a".
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

// TextExpr returns the expression whose value the text digest contains for a column. Two
// rows whose texts are equal always have the same text digest: a column whose type may
// have several binary forms for one text (twins) is digested by its text. twins reports
// whether the column is such a column, so that the expression differs from that of Expr.
func TextExpr(ref string, c Column, o Options) (expr string, twins bool) {
	if o.ForceText || !hasTwins(c) {
		return Expr(ref, c, o), false
	}
	return text(ref), true
}

// array returns an expression for the binary form of an array with its flags set to zero.
// The flags, bytes 4 to 7, are 1 if the array has room for a bitmap of NULLs and 0
// otherwise. Equal arrays may have different flags, because an array may have such room
// even if no element is NULL. The flags are not needed: the binary form of each element
// shows whether the element is NULL.
func array(value string) string {
	return call("set_byte", call(arraySend, value)+", 7, 0")
}

// text returns an expression for the text that the type's output function returns, as
// bytes in the client's encoding. These bytes depend neither on a collation nor on the
// server encoding. A cast to text cannot be used: some casts omit a part of the output
// (the trailing blanks of bpchar), some write the value differently (bool, inet), and a
// cast of an extension may return anything.
//
// concat calls the output function, but turns NULL into an empty string. So the
// expression returns NULL for NULL itself. It uses IS DISTINCT FROM NULL, because IS NOT
// NULL would test the fields of a composite value.
func text(ref string) string {
	return fmt.Sprintf("CASE WHEN %s IS DISTINCT FROM NULL THEN %s END", ref, call("textsend", call("concat", ref)))
}

// inBase returns ref, a reference to a value of the type t. If t is a domain, the value
// is cast to the base type.
func inBase(ref string, t Type) string {
	if t.Base == nil {
		return ref
	}
	return "(" + ref + ")::" + t.Underlying().SQL
}

// call returns a call of a function in pg_catalog. Without the schema, the server could
// call a function of the same name in another schema whose parameters match better.
func call(function, args string) string {
	return "pg_catalog." + function + "(" + args + ")"
}
