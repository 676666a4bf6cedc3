package app_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/wasilibs/go-pgquery/parser"
)

// catalogPath is the search_path under which an unqualified name can only mean an object
// of the server.
const catalogPath = "pg_catalog, pg_temp"

// checkStatements parses the statements that the service sent to a node. It fails for an
// unqualified name in a statement that reads or writes a table of schema app, or that ran
// under another path than catalogPath. log is the server's log, with application and
// process before each entry.
func checkStatements(t *testing.T, node, log string) {
	t.Helper()
	parsed, seen := 0, map[string]bool{}
	for _, s := range statementsOf(log) {
		if seen[s.sql] || s.path == catalogPath && !strings.Contains(s.sql, `"app".`) {
			continue
		}
		seen[s.sql] = true
		tree, err := parser.ParseToJSON(s.sql)
		if err != nil {
			t.Errorf("node %s: %v in %s", node, err, s.sql)
			continue
		}
		var root any
		if err := json.Unmarshal([]byte(tree), &root); err != nil {
			t.Fatal(err)
		}
		parsed++
		for _, name := range unqualified(root) {
			t.Errorf("node %s: under search_path %q %s has no schema in\n%s", node, s.path, name, s.sql)
		}
	}
	if parsed < 50 {
		t.Errorf("node %s: only %d statements were parsed", node, parsed)
	}
	t.Logf("node %s: %d statements parsed", node, parsed)
}

// statement is a logged statement with the search_path in force. "" means the path of the
// role.
type statement struct{ sql, path string }

var (
	logEntry   = regexp.MustCompile(`(?m)^(.*)\|(\d+)\|([A-Z]+):  `)
	setsPath   = regexp.MustCompile(`set_config\('search_path', \$1, true\)`)
	parameter1 = regexp.MustCompile(`(?i)^parameters: \$1 = '((?:[^']|'')*)'`)
	userFilter = regexp.MustCompile(`(?s)\(\nid > 1\n\)|\(\nn > 0\n\)|WHEN\n(id > 1|n > 0)\nTHEN`)
)

// statementsOf parses a server's log. It replaces the user's filter with true, because
// the user chooses the names in it.
func statementsOf(log string) []statement {
	var all []statement
	paths, pending := map[string]string{}, map[string]bool{}
	entries := logEntry.FindAllStringSubmatchIndex(log, -1)
	for i, at := range entries {
		end := len(log)
		if i+1 < len(entries) {
			end = entries[i+1][0]
		}
		application, pid, level := log[at[2]:at[3]], log[at[4]:at[5]], log[at[6]:at[7]]
		text := strings.TrimSuffix(strings.ReplaceAll(log[at[1]:end], "\n\t", "\n"), "\n")
		if application != "ace" && !strings.HasPrefix(application, "ace ") { // the service's sessions are named ace, or ace and the id of a task
			continue
		}
		if level == "DETAIL" && pending[pid] {
			if set := parameter1.FindStringSubmatch(text); set != nil {
				paths[pid] = strings.ReplaceAll(set[1], "''", "'")
			}
			pending[pid] = false
		}
		_, sql, found := strings.Cut(text, ": ")
		if level != "LOG" || !found || !strings.HasPrefix(text, "execute ") && !strings.HasPrefix(text, "statement: ") {
			continue
		}
		if strings.HasPrefix(sql, "BEGIN") {
			paths[pid] = ""
		}
		pending[pid] = setsPath.MatchString(sql)
		all = append(all, statement{sql: userFilter.ReplaceAllStringFunc(sql, func(filter string) string {
			if strings.HasPrefix(filter, "WHEN") {
				return "WHEN true THEN"
			}
			return "(true)"
		}), path: paths[pid]})
	}
	return all
}

// unqualified returns the nodes of a parse tree that the server finds by an unqualified
// name.
func unqualified(node any) []string {
	var found []string
	switch n := node.(type) {
	case []any:
		for _, element := range n {
			found = append(found, unqualified(element)...)
		}
	case map[string]any:
		for kind, value := range n {
			if kind == "lockedRels" { // FOR UPDATE OF refers to names in FROM
				continue
			}
			fields, ok := value.(map[string]any)
			if !ok {
				found = append(found, unqualified(value)...)
				continue
			}
			if name := bareName(kind, fields); name != "" {
				found = append(found, name)
			}
			found = append(found, unqualified(fields)...)
		}
	}
	return found
}

// bareName describes a node of a parse tree with an unqualified name, or returns "".
func bareName(kind string, fields map[string]any) string {
	single := func(field string) string {
		list, _ := fields[field].([]any)
		if len(list) != 1 {
			return ""
		}
		return fmt.Sprintf("%s %v", kind, list[0])
	}
	switch kind {
	case "FuncCall":
		return single("funcname")
	case "A_Expr":
		if fields["kind"] == "AEXPR_DISTINCT" && isNull(fields["rexpr"]) {
			return "" // IS DISTINCT FROM NULL needs no operator
		}
		return single("name")
	case "TypeName", "typeName", "returnType":
		return single("names")
	case "CollateClause", "collClause":
		return single("collname")
	case "RangeTableSample":
		return single("method")
	case "RangeVar", "relation":
		if _, qualified := fields["schemaname"]; !qualified {
			return fmt.Sprintf("relation %v", fields["relname"])
		}
	case "CaseExpr":
		if _, operand := fields["arg"]; operand {
			return "the = of CASE with an operand"
		}
	case "SubLink":
		if fields["subLinkType"] == "ANY_SUBLINK" || fields["subLinkType"] == "ALL_SUBLINK" {
			if list, _ := fields["operName"].([]any); len(list) < 2 {
				return "the operator of a subquery"
			}
		}
	case "SortBy":
		if len(fmt.Sprint(fields["useOp"])) > len("<nil>") && fields["useOp"] != nil {
			return "the operator of ORDER BY USING"
		}
	}
	return ""
}

func isNull(node any) bool {
	fields, _ := node.(map[string]any)
	constant, _ := fields["A_Const"].(map[string]any)
	null, _ := constant["isnull"].(bool)
	return null
}
