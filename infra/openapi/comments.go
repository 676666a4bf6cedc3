package openapi

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

// comments has the comments of the types and fields of some packages, by names such as
// "ace/shared/api.TaskStatus" and "ace/shared/api.TaskStatus.Error".
type comments map[string]string

// readComments reads the comments of packages, which are directories below root, the
// directory of the module.
func readComments(root string, packages ...string) (comments, error) {
	found := comments{}
	for _, dir := range packages {
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			name := entry.Name()
			if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, dir, name), nil, parser.ParseComments)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			found.addFile("ace/"+dir, file)
		}
	}
	return found, nil
}

func (c comments) addFile(pkg string, file *ast.File) {
	for _, declaration := range file.Decls {
		types, ok := declaration.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		for _, spec := range types.Specs {
			named, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			of := pkg + "." + named.Name.Name
			doc := named.Doc
			if doc == nil && len(types.Specs) == 1 {
				doc = types.Doc
			}
			c[of] = line(doc)
			if fields, ok := named.Type.(*ast.StructType); ok {
				rename := jsonNames(fields)
				c[of] = rename(c[of])
				c.addFields(of, fields, rename)
			}
		}
	}
}

func (c comments) addFields(of string, fields *ast.StructType, rename func(string) string) {
	for _, field := range fields.Fields.List {
		text := line(field.Doc)
		if text == "" {
			text = line(field.Comment)
		}
		for _, name := range field.Names {
			c[of+"."+name.Name] = rename(text)
		}
	}
}

// line returns a comment as one line.
func line(group *ast.CommentGroup) string { return strings.Join(strings.Fields(group.Text()), " ") }

// word is a word of a comment that may be the name of a field.
var word = regexp.MustCompile(`\b[A-Z]\w*`)

// jsonNames returns a function that replaces the names of a struct's fields in a comment
// by their JSON names.
func jsonNames(fields *ast.StructType) func(string) string {
	names := map[string]string{}
	for _, field := range fields.Fields.List {
		if field.Tag == nil {
			continue
		}
		tag := reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json")
		for _, name := range field.Names {
			names[name.Name], _, _ = strings.Cut(tag, ",")
		}
	}
	return func(text string) string {
		return word.ReplaceAllStringFunc(text, func(found string) string { return cmp.Or(names[found], found) })
	}
}
