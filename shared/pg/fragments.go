package pg

import (
	"fmt"
	"strconv"
	"strings"

	"ace/shared/table"
)

// A statement over ranges or keys sends them as one parameter per column and side, so that its text does
// not depend on how many there are:
//
//	SELECT ... FROM (SELECT u.lo1, ..., u.ord FROM ROWS FROM (pg_catalog.unnest($1::bigint[]), ...) WITH ORDINALITY u OFFSET 0) r
//	CROSS JOIN LATERAL (SELECT ... FROM "public"."users" WHERE "users"."id" >= r.lo1 AND ...) d
//
// params.go has the list. OFFSET 0 keeps the planner from moving casts into the inner query.
//
// Every function, operator, type, collation and relation is qualified with its schema, since the
// search_path of a statement may begin with a schema of the table's owner. What the parser looks up
// by an unqualified name is not used: IN, BETWEEN, LIKE, NULLIF, CASE with an operand, IS DISTINCT
// FROM (except NULL), and unnest with several arguments.

// list numbers the columns of a list: lo1, lo2.
func list(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", prefix, i+1)
	}
	return names
}

// uniqueName returns an identifier for a statement over the table that means nothing else there: neither
// the table's name nor the filter contains it. A name in the filter that the table does not have is
// therefore an error, never a column of a list.
func uniqueName(s table.Source, name string) string {
	taken := strings.ToLower(s.Alias + s.Filter)
	prefix := "ace_"
	for n := 1; strings.Contains(taken, prefix); n++ {
		prefix = fmt.Sprintf("ace%d_", n)
	}
	return prefix + name
}

// cast writes references as the types that keys travel as.
func cast(refs, types []string) []string {
	out := make([]string, len(refs))
	for i, ref := range refs {
		out[i] = "(" + ref + ")::" + types[i]
	}
	return out
}

// qualify puts the list's name before its columns.
func qualify(list string, columns []string) []string {
	out := make([]string, len(columns))
	for i, column := range columns {
		out[i] = list + "." + column
	}
	return out
}

// compare writes a row comparison in the run's order: the operator is the key index's own.
func compare(left []string, operator string, right []string) string {
	if len(left) == 1 {
		return left[0] + " " + operator + " " + right[0]
	}
	return "ROW(" + strings.Join(left, ", ") + ") " + operator + " ROW(" + strings.Join(right, ", ") + ")"
}

// sameKey writes the equality of the key with a tuple, column by column, by the key index's equality.
func sameKey(s table.Source, right []string) string {
	terms := make([]string, len(s.Key))
	for i, column := range s.Key {
		terms[i] = column + " " + s.KeyEqual[i] + " " + right[i]
	}
	return strings.Join(terms, " AND ")
}

// addFilter adds to a condition the buckets that are read, and the user's filter. The line breaks end a comment the
// filter may close with.
func addFilter(s table.Source, condition string) string {
	var terms []string
	if condition != "" {
		terms = append(terms, condition)
	}
	if s.Within.Of > 0 {
		terms = append(terms, fmt.Sprintf("%s OPERATOR(pg_catalog.=) ANY ('%s'::pg_catalog.int8[])", bucketOf(s, s.Within.Of), intArray(s.Within.Numbers)))
	}
	if s.Filter != "" {
		terms = append(terms, "(\n"+s.Filter+"\n)")
	}
	return strings.Join(terms, " AND ")
}

// bucketOf gives the number of the bucket that a row's key falls into.
func bucketOf(s table.Source, buckets int) string {
	return fmt.Sprintf("(%s OPERATOR(pg_catalog.&) %d)", s.KeyHash, buckets-1)
}

// intArray writes an array in PostgreSQL's text form.
func intArray(list []int) string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = strconv.Itoa(n)
	}
	return "{" + strings.Join(texts, ",") + "}"
}

// where writes a WHERE clause, or nothing.
func where(condition string) string {
	if condition == "" {
		return ""
	}
	return " WHERE " + condition
}
