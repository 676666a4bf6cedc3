package stored_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ace/shared/task"
)

var update = flag.Bool("update", false, "writes the form of the current format again")

// packages are those whose types are stored in the archive, as JSON.
var packages = []string{
	"shared/task", "shared/tablediff", "shared/tablediff/plan", "shared/tablerepair", "shared/setdiff", "shared/diffindex", "shared/schedule",
	"shared/notify", "shared/difffile", "shared/setfile", "shared/part", "shared/table", "shared/tableschema", "shared/backup",
	"shared/archive/dirstore", "shared/blockplan", "shared/finding", "shared/redact", "shared/replication", "shared/rowdigest",
}

// others are the stored types of packages whose other types are not stored.
var others = map[string][]string{
	"shared/api": {"AuditEntry", "RequestedBy", "Event", "DiffResult", "RepairResult", "UndoResult", "SetResult", "ReplicationResult"},
}

// form returns a line for each member of each stored type: its name, its type and its
// tag.
func form(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, dir := range packages {
		lines = append(lines, members(t, dir, nil)...)
	}
	for dir, names := range others {
		lines = append(lines, members(t, dir, names)...)
	}
	slices.Sort(lines)
	return lines
}

// members returns the lines of the types of a package that have these names, or of all
// types with members in JSON.
func members(t *testing.T, dir string, names []string) (lines []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has %d files, %v", dir, len(files), err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || names != nil && !slices.Contains(names, spec.Name.Name) {
				return true
			}
			if fields, ok := spec.Type.(*ast.StructType); ok {
				lines = append(lines, fieldLines(dir+" "+spec.Name.Name, fields)...)
			}
			return true
		})
	}
	return lines
}

func fieldLines(of string, fields *ast.StructType) (lines []string) {
	for _, field := range fields.Fields.List {
		if field.Tag == nil || !strings.Contains(field.Tag.Value, "json:") {
			continue
		}
		name := "(embedded)"
		if len(field.Names) > 0 {
			name = field.Names[0].Name
		}
		lines = append(lines, fmt.Sprintf("%s.%s %s %s", of, name, types.ExprString(field.Type), field.Tag.Value))
	}
	return lines
}

// mayBeAbsent reports whether a member is left out if it has no value. An older version
// ignores such a member.
func mayBeAbsent(line string) bool {
	return strings.Contains(line, ",omitempty") || strings.Contains(line, ",omitzero")
}

// A change of what is stored needs a new number, so that an older version does not read
// it wrongly. Only a new member that an older version may ignore needs none.
func TestStored_ChangesOnlyWithANewNumber(t *testing.T) {
	golden := filepath.Join("testdata", fmt.Sprintf("format-%d.txt", task.CurrentFormat))
	now := form(t)
	text, err := os.ReadFile(golden)
	isNew := os.IsNotExist(err)
	if err != nil && !isNew {
		t.Fatal(err)
	}
	before := strings.Split(strings.TrimSpace(string(text)), "\n")

	var breaking []string
	for _, line := range before {
		if !isNew && !slices.Contains(now, line) {
			breaking = append(breaking, "- "+line)
		}
	}
	changed := isNew || len(breaking) > 0
	for _, line := range now {
		if isNew || slices.Contains(before, line) {
			continue
		}
		changed = true
		if !mayBeAbsent(line) {
			breaking = append(breaking, "+ "+line)
		}
	}
	switch {
	case len(breaking) > 0:
		t.Errorf("stored things have another form than format %d, which older versions would read wrongly. "+
			"Raise task.CurrentFormat, let the new version read both, and run go test ./infra/stored -update:\n%s",
			task.CurrentFormat, strings.Join(breaking, "\n"))
	case *update:
		if err := os.WriteFile(golden, []byte(strings.Join(now, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	case changed:
		t.Errorf("stored things have new members. If older versions may ignore them, run go test ./infra/stored -update; otherwise raise task.CurrentFormat first")
	}
}

// The form of every earlier number is kept: this version reads it.
func TestStored_HasTheFormOfEachNumber(t *testing.T) {
	for n := 1; n <= task.CurrentFormat; n++ {
		if _, err := os.Stat(filepath.Join("testdata", fmt.Sprintf("format-%d.txt", n))); err != nil {
			t.Error(err)
		}
	}
}
