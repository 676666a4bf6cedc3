package pg

import (
	"fmt"
	"strconv"
	"strings"

	"ace/shared/table"
)

// A statement over ranges or keys sends them as array parameters: one array per key
// column or, for ranges, one per column of each bound. So the text of the statement does
// not depend on the number of ranges or keys:
//
//	SELECT ...
//	FROM (SELECT u.lo1, ..., u.ord
//	      FROM ROWS FROM (pg_catalog.unnest($1::bigint[]), ...)
//	           WITH ORDINALITY u OFFSET 0) r
//	CROSS JOIN LATERAL
//	     (SELECT ... FROM "public"."users" WHERE "users"."id" >= r.lo1 AND ...) d
//
// The subquery r is called the list; params.go writes it. OFFSET 0 prevents the planner
// from moving the casts of the list into the inner query.
//
// Every function, operator, type, collation and relation is qualified with its schema,
// because the search_path of a statement may begin with a schema of the table's owner.
// For some syntax, the parser looks up an operator or function by an unqualified name.
// The statements do not use such syntax: IN, BETWEEN, LIKE, NULLIF, CASE with an operand,
// IS DISTINCT FROM (except with NULL), and unnest with several arguments.

// list returns the names of n columns of a list: prefix followed by a number (lo1, lo2).
func list(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", prefix, i+1)
	}
	return names
}

// uniqueName returns an identifier for a statement over the table, such as ace_list for
// the name list. The identifier begins with a prefix that occurs neither in the table's
// name nor in the filter. So no name in the filter can refer to a list or to a column of
// a list.
func uniqueName(s table.Source, name string) string {
	taken := strings.ToLower(s.Alias + s.Filter)
	prefix := "ace_"
	for n := 1; strings.Contains(taken, prefix); n++ {
		prefix = fmt.Sprintf("ace%d_", n)
	}
	return prefix + name
}

// cast returns each reference cast to the type with the same index, such as
// ("users"."id")::bigint.
func cast(refs, types []string) []string {
	out := make([]string, len(refs))
	for i, ref := range refs {
		out[i] = "(" + ref + ")::" + types[i]
	}
	return out
}

// qualify returns the columns, qualified with the list's name: r.lo1, r.lo2.
func qualify(list string, columns []string) []string {
	out := make([]string, len(columns))
	for i, column := range columns {
		out[i] = list + "." + column
	}
	return out
}

// compare returns a row comparison with an operator of the key's index, such as
// ROW(a, b) < ROW(r.hi1, r.hi2).
func compare(left []string, operator string, right []string) string {
	if len(left) == 1 {
		return left[0] + " " + operator + " " + right[0]
	}
	return "ROW(" + strings.Join(left, ", ") + ") " + operator + " ROW(" + strings.Join(right, ", ") + ")"
}

// sameKey returns the condition that the key of a row equals another key, column by
// column, by the equality operators of the key's index. right has one SQL reference per
// column of the other key, such as r.k1.
func sameKey(s table.Source, right []string) string {
	terms := make([]string, len(s.Key))
	for i, column := range s.Key {
		terms[i] = column + " " + s.KeyEqual[i] + " " + right[i]
	}
	return strings.Join(terms, " AND ")
}

// addFilter joins three conditions with AND: condition, the user's filter, and that the
// row belongs to one of the buckets that the source selects (Within). Each of the three
// may be missing. The filter may end with a comment (--), so a line break follows it.
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

// bucketOf returns an expression for the number of the bucket to which a row belongs.
// buckets is the number of buckets, a power of two.
func bucketOf(s table.Source, buckets int) string {
	return fmt.Sprintf("(%s OPERATOR(pg_catalog.&) %d)", s.KeyHash, buckets-1)
}

// intArray returns an array in PostgreSQL's text form.
func intArray(list []int) string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = strconv.Itoa(n)
	}
	return "{" + strings.Join(texts, ",") + "}"
}

// where returns a WHERE clause, or an empty string for an empty condition.
func where(condition string) string {
	if condition == "" {
		return ""
	}
	return " WHERE " + condition
}
