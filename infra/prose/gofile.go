package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxComment = 90 // the maximum number of columns of a comment line; a tab counts as one column

// goFile collects the findings of one source file.
type goFile struct {
	wording
	file  string
	set   *token.FileSet
	lines []string
	found []finding
}

// checkGo checks the comments, the string literals and the names of the functions of a
// source file.
func checkGo(file string, text []byte) ([]finding, error) {
	g := &goFile{wording: newWording(), file: file, set: token.NewFileSet(), lines: strings.Split(string(text), "\n")}
	parsed, err := parser.ParseFile(g.set, file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, group := range parsed.Comments {
		for _, comment := range group.List {
			g.comment(comment)
		}
	}
	ast.Inspect(parsed, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.ImportSpec, *ast.Field:
			_, isImport := node.(*ast.ImportSpec)
			return !isImport
		case *ast.FuncDecl:
			g.words(node.Name.Pos(), spaced(node.Name.Name))
		case *ast.BasicLit:
			g.literal(node)
		}
		return true
	})
	return g.found, nil
}

// comment checks the words and the width of a comment. A directive such as //nolint is
// not prose.
func (g *goFile) comment(comment *ast.Comment) {
	if isDirective(comment.Text) {
		return
	}
	first := g.set.Position(comment.Pos())
	for i, line := range strings.Split(comment.Text, "\n") {
		for _, what := range g.in(line) {
			g.add(first.Line+i, what)
		}
		whole := g.lines[first.Line+i-1]
		alone := i > 0 || strings.HasPrefix(strings.TrimSpace(whole), "/")
		if alone && utf8.RuneCountInString(whole) > maxComment && !strings.Contains(whole, "://") {
			g.add(first.Line+i, "comment of "+strconv.Itoa(utf8.RuneCountInString(whole))+" columns -> wrap at "+strconv.Itoa(maxComment))
		}
	}
}

// isDirective reports whether a comment is for a tool: //go:build, //nolint:name.
func isDirective(text string) bool {
	return regexp.MustCompile(`^//(go:|nolint|lint:|export |line )`).MatchString(text)
}

// literal checks a string literal, unless it is a single word or is code (SQL, JSON or
// HTML).
func (g *goFile) literal(literal *ast.BasicLit) {
	if literal.Kind != token.STRING {
		return
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil || isCode(text) || !strings.Contains(text, " ") {
		return
	}
	g.words(literal.Pos(), text)
}

// isCode reports whether a text is SQL, JSON or HTML rather than a sentence.
func isCode(text string) bool {
	return regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|FROM|WHERE|VALUES)\b|[{}<>]|^\s*--`).MatchString(text)
}

func (g *goFile) words(at token.Pos, text string) {
	for i, line := range strings.Split(text, "\n") {
		for _, what := range g.in(line) {
			g.add(g.set.Position(at).Line+i, what)
		}
	}
}

func (g *goFile) add(line int, what string) {
	g.found = append(g.found, finding{g.file, line, what})
}

// spaced returns a name with its words separated: "Test Lease Is Renewed" for
// TestLease_IsRenewed.
func spaced(name string) string {
	return regexp.MustCompile(`[A-Z]?[a-z0-9]+|[A-Z]+`).ReplaceAllString(strings.ReplaceAll(name, "_", " "), "$0 ")
}
