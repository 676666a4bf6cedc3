package apicases

import "strings"

// BadRules returns requests about rules documents that must be refused. It has no
// document with a mistake.
func BadRules() []Case {
	const (
		path    = "/ace/rules"
		allowed = "; the parameters are rules"
		sum     = "; it must be the SHA-256 of a stored rules document, as POST /ace/rules returns it"
	)
	get := func(name, rawQuery, message string) Case { return getFrom(path, name, rawQuery, message) }
	return []Case{
		get("rules of no document", "", "rules is required"),
		get("rules of an empty SHA-256", "rules=", "rules is given without a value"),
		get("rules of a path", "rules=../tasks", `rules is "../tasks"`+sum),
		get("rules of a SHA-256 in capitals", "rules="+strings.Repeat("A", 64), `rules is "`+strings.Repeat("A", 60)+`"... (64 bytes)`+sum),
		get("rules of two documents", "rules=a&rules=b", "rules is given 2 times; give it once"),
		get("rules of a misspelt parameter", "rule="+strings.Repeat("a", 64), `rules is required; unknown parameter "rule" (did you mean rules?)`+allowed),
		{Name: "rules by PUT", Method: "PUT", Path: path, Status: 405, Error: `method "PUT" is not supported; use GET, HEAD, POST`},
		{Name: "rules by DELETE", Method: "DELETE", Path: path, RawQuery: "rules=" + strings.Repeat("a", 64), Status: 405,
			Error: `method "DELETE" is not supported; use GET, HEAD, POST`},
		{Name: "a rules document with a parameter", Method: "POST", Path: path, RawQuery: "rules=" + strings.Repeat("a", 64), ContentType: "application/yaml",
			Body: "version: 1", Status: 400, Error: `unknown parameter "rules"; this path has no parameters`},
	}
}
