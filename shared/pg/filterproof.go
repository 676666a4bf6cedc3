package pg

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// filterPlans has the planner settings with which the server plans a sequential scan. The
// plan of such a scan shows the whole filter in one place.
var filterPlans = []setting{ //nolint:gochecknoglobals // a constant list
	{"enable_indexscan", "off"}, {"enable_indexonlyscan", "off"}, {"enable_bitmapscan", "off"}, {"enable_tidscan", "off"}, {"enable_seqscan", "on"},
}

// ProveFilter checks whether the source's filter always decides alike for an unchanged
// row. shown is the filter as the server's plan shows it, with constant expressions
// evaluated. columns are the names of the columns that the filter may use. doubt is the
// reason why the filter might select an unchanged row at one time and not at another. An
// empty doubt means that this is impossible.
func (n *Node) ProveFilter(ctx context.Context, s table.Source, columns []string) (shown, doubt string, err error) {
	if len(s.Partitions) != 1 || s.Partitions[0].Relation != s.Relation {
		return "", "it is of a table with partitions", nil
	}
	if hidden := hiddenIn(s.Filter); hidden != "" {
		return "", "it has " + hidden, nil
	}

	tx, err := n.Begin(ctx, s.Access())
	if err != nil {
		return "", "", err
	}
	defer tx.Close()
	var plan []byte
	verbose := explain("SELECT 1 FROM "+s.Relation+" WHERE (\n"+s.Filter+"\n)", &plan, "VERBOSE", "COSTS off")
	foreign := ""
	err = tx.call(ctx, doingFilter, table.EndTransaction, append(settings(filterPlans), verbose, query{
		sql: foreignOperators, args: textArgs("{" + strings.Join(provenOperators, ",") + "}"), row: func(v [][]byte) error {
			foreign = string(v[0])
			return nil
		},
	})...)
	if err != nil {
		return "", "", err
	}
	if shown, doubt, err = shownFilter(n.name, plan); err != nil || doubt != "" {
		return shown, doubt, err
	}
	if foreign != "" {
		return shown, "the database has an operator " + foreign + " of its own", nil
	}

	return shown, findDoubt(shown, columns), nil
}

// foreignOperators returns one operator that is not built in, but has one of the names in
// $1 and operands of built-in types. In a plan, such an operator may look like the
// built-in one.
const foreignOperators = `SELECT o.oprname FROM pg_catalog.pg_operator o
	WHERE o.oprname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
	  AND o.oprnamespace OPERATOR(pg_catalog.<>) 'pg_catalog'::pg_catalog.regnamespace::pg_catalog.oid
	  AND o.oprleft OPERATOR(pg_catalog.<) 16384::pg_catalog.oid AND o.oprright OPERATOR(pg_catalog.<) 16384::pg_catalog.oid LIMIT 1`

var (
	quotedPattern = regexp.MustCompile(`(?is)\be'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|"(?:[^"]|"")*"`)
	otherQuotes   = regexp.MustCompile(`\$|--|/\*`) // other ways to quote text or to hide a quote
	callPattern   = regexp.MustCompile(`("|[A-Za-z_0-9$[:^ascii:]]+)\s*\(`)
	hiddenWords   = regexp.MustCompile(`(?i)\b(?:collate|select|with|operator)\b`)
)

// beforeParenthesis lists the words that may precede a parenthesis in a filter. None of
// them is the name of a function that the planner could inline.
var beforeParenthesis = []string{"in", "any", "all", "some", "and", "or", "not", "when", "then", "else", "case", "between", "is", "from", "like", "ilike", "coalesce", "nullif", "greatest", "least", "varchar", "char", "character", "varying", "numeric", "decimal", "timestamp", "timestamptz", "time", "interval"} //nolint:gochecknoglobals // a constant list

// hiddenIn returns a part of the filter that the server's plan may not show: a collation,
// a call of a function that the planner may inline, or a subquery that it may remove. It
// returns "" if there is none.
func hiddenIn(filter string) string {
	filter = quotedPattern.ReplaceAllStringFunc(filter, func(text string) string { return text[len(text)-1:] })
	if other := otherQuotes.FindString(filter); other != "" {
		return other
	}
	if word := hiddenWords.FindString(filter); word != "" {
		return word
	}

	for _, match := range callPattern.FindAllStringSubmatch(filter, -1) {
		if !slices.Contains(beforeParenthesis, strings.ToLower(match[1])) {
			return match[1] + "()"
		}
	}
	return ""
}

// shownFilter returns the filter that the plan of a scan of one table shows. shown is
// empty if the filter selects every row. doubt is not empty if the plan is not a single
// sequential scan.
func shownFilter(node string, plan []byte) (shown, doubt string, err error) {
	var plans []struct {
		Plan struct {
			Type   string            `json:"Node Type"`
			Filter string            `json:"Filter"`
			Below  []json.RawMessage `json:"Plans"`
		} `json:"Plan"`
	}

	if err := json.Unmarshal(plan, &plans); err != nil || len(plans) != 1 {
		return "", "", fault.Wrap(err, fault.Internal, "node %q: EXPLAIN returned no plan", node)
	}

	top := plans[0].Plan
	if top.Type != "Seq Scan" || len(top.Below) > 0 {
		return "", "it does more than look at one row", nil
	}

	return top.Filter, "", nil
}

// provenOperators has the operators whose results depend only on their operands and the
// settings of the session, if the operands have built-in types.
var provenOperators = []string{"=", "<>", "<", "<=", ">", ">=", "~~", "!~~", "~~*", "!~~*", "~", "!~", "~*", "!~*", "+", "-", "*", "/", "%", "||"} //nolint:gochecknoglobals // a constant list

// words has the SQL key words that a proven filter (one without a doubt) may contain
// besides columns, constants and operators.
var words = []string{"AND", "OR", "NOT", "IS", "NULL", "TRUE", "FALSE", "UNKNOWN", "DISTINCT", "FROM", "ANY", "ALL", "ARRAY", "CASE", "WHEN", "THEN", "ELSE", "END", "COALESCE", "NULLIF", "GREATEST", "LEAST"} //nolint:gochecknoglobals // a constant list

const (
	// castTypes are the types to which a proven filter may cast a value. Dates and times are
	// not among them, because the text that is cast may be 'now', whose value changes.
	castTypes = `smallint|integer|bigint|numeric|real|double precision|boolean|text|character varying|character|bpchar|uuid|bytea`
	// constTypes are the types that a constant in a proven filter may have. They include
	// dates and times, because the plan shows a constant such as 'now' as the date or time
	// that it had when the server planned the statement.
	constTypes = castTypes + `|date|interval|timestamp with(?:out)? time zone|time with(?:out)? time zone|"char"|name|oid|inet|cidr|json|jsonb`
)

// filterTokens has a pattern for each kind of token of a proven filter. findDoubt reads
// the filter from left to right and matches the patterns with the beginning of the text
// that it has not read yet.
var filterTokens = []*regexp.Regexp{ //nolint:gochecknoglobals // a constant list
	regexp.MustCompile(`^[ \n()\[\],]+`),
	regexp.MustCompile(`^(?:E?'(?:[^']|'')*'|-?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?)(?:::(?:` + constTypes + `)\b(?:\([0-9, ]+\))?(?:\[\])*)?`),
	regexp.MustCompile(`^::(?:` + castTypes + `)\b(?:\([0-9, ]+\))?(?:\[\])*`),
	filterName, filterOperator,
}

var (
	filterName     = regexp.MustCompile(`^(?:[A-Za-z_][A-Za-z0-9_$]*|"(?:[^"]|"")*")(?:\.(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")*"))?`)
	filterOperator = regexp.MustCompile(`^[-+*/<>=~!@#%^&|` + "`" + `?]+`)
)

// findDoubt describes the first token of a filter that is not a column, a constant, a
// listed key word (words) or a proven operator. It returns "" if there is none.
func findDoubt(filter string, columns []string) string {
	for rest := filter; rest != ""; {
		token := ""
		var of *regexp.Regexp
		for _, of = range filterTokens {
			if token = of.FindString(rest); token != "" {
				break
			}
		}
		rest = rest[len(token):]
		switch {
		case token == "":
			return fmt.Sprintf("it has %.20q", rest)
		case of == filterOperator && !slices.Contains(provenOperators, token):
			return "it has the operator " + token
		case of == filterName && slices.Contains(words, token):
		case of == filterName && (strings.HasPrefix(rest, "(") || !isColumn(token, columns)):
			return "it has " + token
		}
	}
	return ""
}

// isColumn reports whether a name, with or without the table's name before it, is one of
// the columns, or is the constant true or false.
func isColumn(name string, columns []string) bool {
	if name == "true" || name == "false" {
		return true
	}
	return slices.ContainsFunc(columns, func(column string) bool {
		for _, written := range []string{column, table.Quote(column)} {
			if name == written || strings.HasSuffix(name, "."+written) {
				return true
			}
		}
		return false
	})
}
