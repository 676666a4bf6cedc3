package structure

import "strings"

// sameView reports whether two definitions of a view are the same query. older is the
// definition on a server before PostgreSQL 16. If the query reads a single relation,
// such a server writes the name of the relation before each column, as in t.id. Newer
// servers do not.
func sameView(older, newer string) bool {
	a, b := tokens(older), tokens(newer)
	alias := ""
	for len(a) > 0 {
		switch {
		case len(b) > 0 && a[0] == b[0]:
			a, b = a[1:], b[1:]
		case len(a) > 2 && a[1] == "." && (alias == "" || alias == a[0]):
			alias = a[0]
			a = a[2:]
		default:
			return false
		}
	}
	return len(b) == 0
}

// tokens splits SQL into names, literals and single characters, without white space.
func tokens(sql string) []string {
	var list []string
	for sql = strings.TrimLeft(sql, " \t\r\n"); sql != ""; sql = strings.TrimLeft(sql, " \t\r\n") {
		n := tokenLength(sql)
		list = append(list, sql[:n])
		sql = sql[n:]
	}
	return list
}

// tokenLength returns the length of the first token, which is at least 1.
func tokenLength(sql string) int {
	if quote := sql[0]; quote == '\'' || quote == '"' {
		for i := 1; i < len(sql); i++ {
			if sql[i] != quote {
				continue
			}
			if i+1 == len(sql) || sql[i+1] != quote {
				return i + 1
			}
			i++
		}
		return len(sql)
	}

	n := 0
	for n < len(sql) && isWord(sql[n]) {
		n++
	}
	return max(n, 1)
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
