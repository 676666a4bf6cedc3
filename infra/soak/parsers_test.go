package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parsers lists the functions that read what others may have written: a request, a file,
// an object of the archive, an answer of a server. Each has a fuzz target, which calls it
// directly or through the function that the user's data passes.
var parsers = []struct{ what, dir, function, target string }{
	{"parameters of every request", "shared/api", "ParseParams", "FuzzDecodeRequests"},
	{"the table-diff request", "shared/api", "DecodeTableDiff", "FuzzDecodeTableDiff"},
	{"names of tables", "shared/api", "ParseTableName", "FuzzParseTableName"},
	{"addresses of documents", "shared/api", "ParseDiffFile", "FuzzParseDiffFile"},
	{"cursors", "shared/api", "parseTableCursor", "FuzzTableCursor"},
	{"lists of nodes", "shared/api", "parseNodes", "FuzzDecodeRequests"},
	{"lists of columns, such as redact", "shared/api", "parseIdentifiers", "FuzzDecodeRequests"},
	{"filters", "shared/api", "parseFilter", "FuzzDecodeTableDiff"},
	{"dates of lists", "shared/api", "parseMoment", "FuzzDecodeRequests"},
	{"patterns of tables", "shared/api", "ParsePatterns", "FuzzParsePatterns"},
	{"durations", "shared/api", "ParseDuration", "FuzzDuration"},
	{"times in JSON", "shared/api", "UnmarshalJSON", "FuzzTime"},
	{"task ids", "shared/api", "CheckTaskID", "FuzzDecodeRequests"},
	{"cluster definitions in JSON", "shared/cluster", "parseJSON", "FuzzParseJSON"},
	{"service files", "shared/cluster", "parseService", "FuzzParseService"},
	{"schedules", "shared/schedule", "Parse", "FuzzParse"},
	{"cron expressions", "shared/schedule", "parseCrontab", "FuzzParseCrontab"},
	{"rules", "shared/rules", "Parse", "FuzzParse"},
	{"diff documents", "shared/difffile", "Open", "FuzzReader"},
	{"set documents", "shared/setfile", "Read", "FuzzRead"},
	{"parts", "shared/part", "Open", "FuzzOpen"},
	{"packed parts", "shared/part", "readBlock", "FuzzPacked"},
	{"plans", "shared/tablediff/plan", "Parse", "FuzzParse"},
	{"candidates, findings and keys of parts", "shared/tablediff/plan", "ReadCandidate", "FuzzLines"},
	{"sums of ranges", "shared/tablediff/plan", "AddPacked", "FuzzPackedSums"},
	{"changes of repairs", "shared/tablerepair", "readChange", "FuzzChange"},
	{"packed changes", "shared/tablerepair", "readPacked", "FuzzPackedChange"},
	{"decisions", "shared/tablerepair", "readDecision", "FuzzReadDecision"},
	{"key texts", "shared/table", "ReadRow", "FuzzReadRow"},
	{"keys of repairs in the archive", "shared/archive", "ParseRepairKey", "FuzzParseRepairKey"},
	{"the journal of an archive in a directory", "shared/archive/dirstore", "readRecord", "FuzzRecord"},
	{"the sums of an archive in a directory", "shared/archive/dirstore", "parseSum", "FuzzParseSum"},
	{"backups", "shared/backup", "Read", "FuzzRead"},
	{"bytes of SQL_ASCII", "shared/rawtext", "Bytes", "FuzzText"},
	{"events of API Gateway", "shared/endpoint/lambdax", "request", "FuzzRequest"},
	{"envelopes between functions", "shared/invoke", "decodeStrict", "FuzzHandle"},
	{"password files", "shared/cluster", "readPasswords", "FuzzPasswords"},
	{"secrets of a webhook", "shared/config", "ReadWebhookSecrets", "FuzzWebhookSecrets"},
	{"task records", "shared/task", "readRecord", "FuzzRecord"},
	{"Range and conditions of a download", "shared/endpoint/httpx", "serveFile", "FuzzConditions"},
	{"Authorization", "shared/endpoint/httpx", "bearer", "FuzzAuthorization"},
	{"Host and Origin", "shared/endpoint/httpx", "parseAuthority", "FuzzAuthority"},
	{"ACE_STORE", "shared/config", "parseBucket", "FuzzStore"},
	{"definitions of views", "shared/structure", "tokens", "FuzzTokens"},
	{"delays that servers ask for", "shared/retry", "WithDelay", "FuzzWithDelay"},
	{"messages of PostgreSQL, before the driver reads them", "shared/pg", "newMessages", "FuzzMessages"},
	{"texts on a terminal", "shared/visible", "JSON", "FuzzJSON"},
}

// A listed parser exists, and its fuzz target too. The target calls t.Error or t.Fatal,
// so it checks more than that nothing panics.
func TestParsers_HaveAFuzzTargetThatChecksAProperty(t *testing.T) {
	for _, p := range parsers {
		functions := declared(t, filepath.Join("..", "..", p.dir))
		if functions[p.function] == nil {
			t.Errorf("%s: %s has no function %s", p.what, p.dir, p.function)
		}
		target := functions[p.target]
		if target == nil {
			t.Errorf("%s: %s has no fuzz target %s", p.what, p.dir, p.target)
			continue
		}
		if !checks(target) {
			t.Errorf("%s: %s of %s checks nothing", p.what, p.target, p.dir)
		}
	}
}

// A function of the contract that decodes or parses what users send is listed, or is
// called by a decoder that FuzzDecodeRequests runs.
func TestParsers_EveryDecoderOfARequestIsFuzzed(t *testing.T) {
	fuzz := declared(t, "../../shared/api")["FuzzDecodeRequests"]
	if fuzz == nil {
		t.Fatal("there is no FuzzDecodeRequests")
	}
	var called []string
	ast.Inspect(fuzz, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			called = append(called, selector.Sel.Name)
		}
		return true
	})
	for name := range declared(t, "../../shared/api") {
		if strings.HasPrefix(name, "Decode") && !slices.Contains(called, name) {
			t.Errorf("FuzzDecodeRequests does not call %s", name)
		}
	}
}

// declared returns the functions and methods that the Go files of a directory declare, by
// name.
func declared(t *testing.T, dir string) map[string]*ast.FuncDecl {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]*ast.FuncDecl)
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok {
				found[function.Name.Name] = function
			}
		}
	}
	return found
}

// checks reports whether a fuzz target can fail by more than a panic: it calls a method
// that fails the test, or passes t to a function.
func checks(target *ast.FuncDecl) bool {
	found := false
	ast.Inspect(target, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		if selector, ok := call.Fun.(*ast.SelectorExpr); ok {
			found = found || slices.Contains([]string{"Error", "Errorf", "Fatal", "Fatalf"}, selector.Sel.Name) && isT(selector.X)
		}
		found = found || slices.ContainsFunc(call.Args, isT)
		return true
	})
	return found
}

func isT(expression ast.Expr) bool {
	name, ok := expression.(*ast.Ident)
	return ok && name.Name == "t"
}
