//go:build !unit

package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
)

// trap is the body of a function that raises an error and writes a line to the server's
// log. A read-only transaction can write to the log, and a rollback does not remove the
// line.
const trap = `LANGUAGE plpgsql AS $trap$ BEGIN RAISE LOG 'HOSTILE %[1]s'; RAISE EXCEPTION 'HOSTILE %[1]s'; END $trap$`

// Types that stand for a polymorphic parameter.
var (
	anyElement = []string{"text", "int8", "int4", "uuid", "bytea", "bool", "name", "app.mood", "app.pair"}
	anyArray   = []string{"text[]", "int8[]", "int4[]", "tid[]", "bytea[]", "uuid[]", "bool[]", "app.mood[]", "regprocedure[]"}
	integers   = []string{"int4", "int8"}
	texts      = []string{"text", "name"}
	operators  = []string{"=", "<>", "<", "<=", ">", ">=", "&", "%", "||", "+", "-", "*", "/", "~~", "->>", "->"}
	domains    = []string{"text", "bytea", "tid", "xid", "xid8", "regclass", "regprocedure", "regnamespace", "regproc", "pg_lsn", "pg_snapshot", "uuid", "name", "int8", "int4", "int2", "bool", "jsonb", "oid", "numeric", "json"}
)

// packageDir is the directory of this package. A test may change the working
// directory.
var packageDir, _ = os.Getwd()

// sourceWords returns the identifiers in the program's files that contain SQL. They
// include every function and relation of the server that a statement uses.
func sourceWords(t *testing.T) []string {
	t.Helper()
	seen := map[string]bool{}
	for _, pattern := range []string{"pg/*.go", "tableschema/*.go", "rowdigest/*.go", "tablediff/*.go", "tablerepair/*.go"} {
		files, err := filepath.Glob(filepath.Join(packageDir, "..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, error %v", pattern, len(files), err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range regexp.MustCompile(`[a-z][a-z0-9_]*`).FindAllString(string(text), -1) {
				seen[word] = true
			}
		}
	}
	var words []string
	for word := range seen {
		words = append(words, word)
	}
	slices.Sort(words)
	return words
}

// hostile fills schema app of a node with objects that a statement would use instead of
// the intended ones if a name in it were not qualified. It returns the number of objects.
func hostile(t *testing.T, c *pgtest.Cluster, node int) int {
	t.Helper()
	words := "{" + strings.Join(sourceWords(t), ",") + "}"
	statements := slices.Concat(hostileFunctions(t, c, node, words), hostileOperators(t, c, node), hostileCasts(), hostileDomains(), hostileViews(t, c, node, words))
	c.Exec(t, node, slices.Concat([]string{`CREATE TABLE app.made (n int); SET search_path = pg_catalog`},
		executing(statements))...)
	var made int
	if _, err := fmt.Sscan(c.QueryStrings(t, node, `SELECT sum(n) FROM app.made`)[0][0], &made); err != nil {
		t.Fatal(err)
	}
	t.Logf("node %s: %d of %d hostile objects", c.Nodes[node].Name, made, len(statements))
	return made
}

// executing returns SQL that executes each statement that the server accepts, and adds
// the number of those to app.made. A block for each statement would be slow: every object
// that is made invalidates the plans of all blocks, and every subtransaction makes the
// transaction longer.
func executing(statements []string) []string {
	var scripts []string
	for chunk := range slices.Chunk(statements, 200) {
		scripts = append(scripts, fmt.Sprintf(`DO $do$ DECLARE statement text; made int := 0; BEGIN
			FOREACH statement IN ARRAY ARRAY[$x$%s$x$] LOOP
				BEGIN EXECUTE statement; made := made + 1; EXCEPTION WHEN OTHERS THEN END;
			END LOOP;
			INSERT INTO app.made VALUES (made);
		END $do$`, strings.Join(chunk, "$x$, $x$")))
	}
	return scripts
}

// hostileFunctions are variants of the server's functions with better-matching
// parameters: with the same types, with concrete types instead of polymorphic ones, and
// with other integer types.
func hostileFunctions(t *testing.T, c *pgtest.Cluster, node int, words string) []string {
	t.Helper()
	rows := c.QueryStrings(t, node, `
		SELECT p.proname, p.prokind, p.proretset, pg_catalog.format_type(p.prorettype, NULL),
		       (SELECT coalesce(string_agg(format_type(a, NULL), '|' ORDER BY n), '') FROM unnest(p.proargtypes) WITH ORDINALITY u(a, n)),
		       (SELECT coalesce(string_agg(quote_ident(p.proargnames[n]) || ' ' || format_type(a, NULL), ', ' ORDER BY n) FILTER (WHERE p.proargmodes[n] IN ('o', 't')), '')
		        FROM unnest(p.proallargtypes) WITH ORDINALITY u(a, n))
		FROM pg_proc p
		WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = ANY ($1::text[])
		  AND NOT EXISTS (SELECT FROM unnest(p.proargtypes) a WHERE a IN ('internal'::regtype, 'cstring'::regtype))
		ORDER BY p.oid`, words)
	var made []string
	for i, row := range rows {
		name, kind, set, result, columns := row[0], row[1], row[2] == "t", row[3], row[5]
		var parameters []string
		if row[4] != "" {
			parameters = strings.Split(row[4], "|")
		}
		for k, variant := range variants(parameters) {
			returns := concrete(result, parameters, variant)
			switch list := strings.Join(variant, ", "); {
			case kind == "f" && columns != "":
				made = append(made, function(name, list, "TABLE ("+columns+")", name))
			case kind == "f" && set:
				made = append(made, function(name, list, "SETOF "+returns, name))
			case kind == "f":
				made = append(made, function(name, list, returns, name))
			default: // an aggregate stands for a window function too
				if list == "" {
					list = "*"
				}
				step, final := fmt.Sprintf("step_%d_%d", i, k), fmt.Sprintf("final_%d_%d", i, k)
				made = append(made, function(step, strings.Join(append([]string{returns}, variant...), ", "), returns, name),
					function(final, returns, returns, name),
					fmt.Sprintf("CREATE AGGREGATE app.%s(%s) (SFUNC = app.%s, STYPE = %s, FINALFUNC = app.%s)", name, list, step, returns, final))
			}
		}
	}
	return made
}

func function(name, parameters, returns, says string) string {
	return fmt.Sprintf("CREATE FUNCTION app.%s(%s) RETURNS %s ", name, parameters, returns) + fmt.Sprintf(trap, says)
}

// variants returns lists of types with which a function with the given parameters can be
// called.
func variants(parameters []string) [][]string {
	all := [][]string{nil}
	for _, parameter := range parameters {
		choices := []string{parameter}
		switch parameter {
		case `"any"`, "anyelement", "anycompatible", "anynonarray", "anycompatiblenonarray":
			choices = anyElement
		case "anyarray", "anycompatiblearray":
			choices = anyArray
		case "anyenum":
			choices = []string{"app.mood"}
		case "record":
			choices = []string{"record", "app.pair"}
		case "smallint", "integer", "bigint":
			choices = append([]string{parameter}, integers...)
		case "text", "name":
			choices = append([]string{parameter}, texts...)
		}
		var longer [][]string
		for _, so := range all {
			for _, choice := range choices {
				if len(longer) < 12 {
					longer = append(longer, append(slices.Clone(so), choice))
				}
			}
		}
		all = longer
	}
	return all
}

// concrete returns the type of a polymorphic result.
func concrete(result string, parameters, variant []string) string {
	if !strings.HasPrefix(result, "any") {
		return result
	}
	for i, parameter := range parameters {
		switch {
		case parameter == result:
			return variant[i]
		case strings.HasPrefix(parameter, "any") && strings.HasSuffix(parameter, "array"):
			return strings.TrimSuffix(variant[i], "[]")
		case strings.HasPrefix(parameter, "any") && strings.HasSuffix(result, "array"):
			return variant[i] + "[]"
		}
	}
	return result
}

// hostileOperators are copies of the server's operators, and operators for pairs of types
// without one.
func hostileOperators(t *testing.T, c *pgtest.Cluster, node int) []string {
	t.Helper()
	var made []string
	n := 0
	add := func(name, left, right, result string) {
		n++
		operands := "LEFTARG = " + left + ", RIGHTARG = " + right
		made = append(made, function(fmt.Sprintf("operator_%d", n), left+", "+right, result, "operator "+strings.ReplaceAll(name, "%", "%%")),
			fmt.Sprintf("CREATE OPERATOR app.%s (%s, FUNCTION = app.operator_%d)", name, operands, n))
	}
	for _, row := range c.QueryStrings(t, node, `
		SELECT oprname, format_type(oprleft, NULL), format_type(oprright, NULL), format_type(oprresult, NULL) FROM pg_operator
		WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprleft <> 0 AND oprname = ANY ($1::text[]) ORDER BY oid`, `{"`+strings.Join(operators, `","`)+`"}`) {
		for _, operand := range variants(row[1:3]) {
			add(row[0], operand[0], operand[1], concrete(row[3], row[1:3], operand))
		}
	}
	for _, name := range []string{"=", "<", "<=", ">", ">="} {
		for _, pair := range [][2]string{{"app.mood", "app.mood"}, {"app.pair", "app.pair"}, {"app.mood[]", "app.mood[]"}, {"app.dom", "text"}, {"app.dom", "app.dom"},
			{"app.folded", "app.folded"}, {"app.folded", "app.citext"}, {"app.citext", "app.folded"}, {"app.folded", "text"},
			{"varchar", "text"}, {"varchar", "varchar"}, {"app.mood", "text"}, {"int8", "int4"}, {"int4", "int8"}, {"record", "record"}} {
			add(name, pair[0], pair[1], "bool")
		}
	}
	return made
}

// hostileCasts are casts between text and the given types. They are not implicit, because
// an implicit cast makes the comparison of two enums ambiguous, which is an error.
func hostileCasts() []string {
	var made []string
	for i, of := range []string{"app.mood", "app.pair", "app.mood[]", "app.pair[]"} {
		to, from := fmt.Sprintf("cast_to_%d", i), fmt.Sprintf("cast_from_%d", i)
		made = append(made, function(to, of, "text", "cast to text"), function(from, "text", of, "cast from text"),
			fmt.Sprintf("CREATE CAST (%s AS text) WITH FUNCTION app.%s(%s) AS ASSIGNMENT", of, to, of),
			fmt.Sprintf("CREATE CAST (text AS %s) WITH FUNCTION app.%s(text) AS ASSIGNMENT", of, from))
	}
	return made
}

// hostileDomains have the names of the server's types.
func hostileDomains() []string {
	made := []string{function("checked", "text", "bool", "type")}
	for _, name := range domains {
		made = append(made, fmt.Sprintf("CREATE DOMAIN app.%s AS pg_catalog.%s CHECK (app.checked('%s'))", name, name, name))
	}
	return made
}

// hostileViews have the names of the server's relations.
func hostileViews(t *testing.T, c *pgtest.Cluster, node int, words string) []string {
	t.Helper()
	var made []string
	for _, row := range c.QueryStrings(t, node, `SELECT relname FROM pg_class
		WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v') AND relname = ANY ($1::text[])`, words) {
		made = append(made, fmt.Sprintf("CREATE VIEW app.%s AS SELECT * FROM pg_catalog.%s WHERE app.checked('%s')", row[0], row[0], row[0]))
	}
	return made
}
