package imports

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// diagram is a Mermaid flowchart of ARCHITECTURE.md.
type diagram struct {
	labels map[string]string // the label of each node by its name; a node without a label is its own label
	solid  []edge
	dotted []edge
}

type edge struct{ from, to string }

func (e edge) String() string { return e.from + " -> " + e.to }

var (
	fence   = regexp.MustCompile("(?s)```mermaid\n(.*?)```")
	label   = regexp.MustCompile(`(\w+)\["([^"]*)"\]`)
	arrow   = regexp.MustCompile(`^\s*(\w+) (-->|-\.->)(?:\|[^|]*\|)? (\w+)\s*$`)
	title   = regexp.MustCompile(`^<b>[^<]*</b><br/>`)
	heading = regexp.MustCompile(`^\s*flowchart \w+\s*$`)
)

// readDiagrams returns the Mermaid diagrams of ARCHITECTURE.md in their order.
func readDiagrams(t *testing.T) []diagram {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}

	var diagrams []diagram
	for _, found := range fence.FindAllStringSubmatch(string(body), -1) {
		d, err := parseDiagram(found[1])
		if err != nil {
			t.Fatal(err)
		}
		diagrams = append(diagrams, d)
	}
	if len(diagrams) != 2 {
		t.Fatalf("ARCHITECTURE.md has %d Mermaid diagrams, want the route of a request and the layers", len(diagrams))
	}
	return diagrams
}

// parseDiagram parses a flowchart of nodes, solid arrows and dotted arrows, one per
// line.
func parseDiagram(text string) (diagram, error) {
	d := diagram{labels: map[string]string{}}
	for line := range strings.Lines(text) {
		for _, found := range label.FindAllStringSubmatch(line, -1) {
			d.labels[found[1]] = found[2]
		}

		bare := label.ReplaceAllString(line, "$1")
		found := arrow.FindStringSubmatch(bare)
		switch {
		case found != nil && found[2] == "-->":
			d.solid = append(d.solid, edge{found[1], found[3]})
		case found != nil:
			d.dotted = append(d.dotted, edge{found[1], found[3]})
		case heading.MatchString(bare), len(strings.Fields(bare)) < 2:
		default:
			return d, fmt.Errorf("not a line of a diagram that this test can read: %s", line)
		}
	}
	return d, nil
}

// packageOf returns the package that a node of the route stands for. A label may
// continue after the package with a colon and a remark.
func (d diagram) packageOf(node string) string {
	name, ok := d.labels[node]
	if !ok {
		name = node
	}
	name, _, _ = strings.Cut(name, ":")
	return path.Join(module, "shared", name)
}

func TestDiagrams_ShowTheRouteOfARequest(t *testing.T) {
	g, err := readGraph(root, module)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range routeProblems(readDiagrams(t)[0], g) {
		t.Error(problem)
	}
}

// routeProblems checks that solid arrows are imports and that dotted arrows are none.
func routeProblems(d diagram, g graph) []string {
	var problems []string
	for _, e := range slices.Concat(d.solid, d.dotted) {
		for _, node := range []string{e.from, e.to} {
			if _, ok := g[d.packageOf(node)]; !ok {
				problems = append(problems, fmt.Sprintf("%s: there is no package %s", e, d.packageOf(node)))
			}
		}
	}
	for _, e := range d.solid {
		if !slices.Contains(g[d.packageOf(e.from)], d.packageOf(e.to)) {
			problems = append(problems, fmt.Sprintf("%s is a solid arrow, but no import", e))
		}
	}
	for _, e := range d.dotted {
		if slices.Contains(g[d.packageOf(e.from)], d.packageOf(e.to)) {
			problems = append(problems, fmt.Sprintf("%s is a dotted arrow, but an import", e))
		}
	}
	return problems
}

func TestDiagrams_ShowTheLayersOfThePackages(t *testing.T) {
	g, err := readGraph(root, module)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range layerProblems(readDiagrams(t)[1], product(g)) {
		t.Error(problem)
	}
}

// product returns the packages that are shipped.
func product(g graph) graph {
	shipped := graph{}
	for name, imports := range g {
		support := slices.ContainsFunc(testSupport(), func(at string) bool { return below(name, at) })
		if !support && !below(name, module+"/infra") {
			shipped[name] = imports
		}
	}
	return shipped
}

// layerProblems checks that every package is in one layer, that each import between
// layers follows the arrows, and that each arrow stands for an import.
func layerProblems(d diagram, g graph) []string {
	var problems []string
	layerOf := map[string]string{}
	for layer, text := range d.labels {
		for _, name := range members(text, g) {
			if other, twice := layerOf[name]; twice {
				problems = append(problems, fmt.Sprintf("%s is in the layers %s and %s", name, other, layer))
			}
			if _, ok := g[name]; !ok {
				problems = append(problems, fmt.Sprintf("layer %s: there is no package %s", layer, name))
			}
			layerOf[name] = layer
		}
	}

	used := map[edge]bool{}
	for name, imports := range g {
		from, ok := layerOf[name]
		if !ok {
			problems = append(problems, fmt.Sprintf("%s is in no layer", name))
			continue
		}
		for _, imported := range imports {
			to, ok := layerOf[imported]
			if !ok || to == from {
				continue
			}
			used[edge{from, to}] = true
			if !d.leads(from, to) {
				problems = append(problems, fmt.Sprintf("%s imports %s, but no arrow leads from %s to %s", name, imported, from, to))
			}
		}
	}

	for _, e := range d.solid {
		if !used[e] {
			problems = append(problems, fmt.Sprintf("%s is an arrow, but no import", e))
		}
		if d.leads(e.to, e.from) {
			problems = append(problems, fmt.Sprintf("%s is an arrow of a cycle", e))
		}
	}
	slices.Sort(problems)
	return problems
}

// members returns the packages of a layer. A name is relative to shared/, unless it is
// that of a program or docs. A name that ends in /* means all packages below.
func members(text string, g graph) []string {
	var found []string
	for name := range strings.SplitSeq(strings.ReplaceAll(title.ReplaceAllString(text, ""), "<br/>", " "), ",") {
		name = strings.TrimSpace(name)
		at := path.Join(module, "shared", name)
		if below(name, "local") || below(name, "functions") || name == "docs" {
			at = path.Join(module, name)
		}
		if all, ok := strings.CutSuffix(at, "/*"); ok {
			found = append(found, g.packages(all)...)
			continue
		}
		found = append(found, at)
	}
	return found
}

// leads reports whether solid arrows lead from one node to another.
func (d diagram) leads(from, to string) bool {
	seen := map[string]bool{from: true}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, e := range d.solid {
			if e.from != queue[0] {
				continue
			}
			if e.to == to {
				return true
			}
			if !seen[e.to] {
				seen[e.to] = true
				queue = append(queue, e.to)
			}
		}
	}
	return false
}

func TestDiagrams_AFalseArrowIsReported(t *testing.T) {
	g := graph{
		"ace/local":         {"ace/shared/app", "ace/shared/fault"},
		"ace/shared/app":    {"ace/shared/task"},
		"ace/shared/task":   {"ace/shared/fault"},
		"ace/shared/fault":  nil,
		"ace/shared/hidden": nil,
	}

	route, err := parseDiagram("flowchart TD\n  a[\"app: wires\"] --> fault\n  task -.->|x| fault\n  gone --> fault\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"gone -> fault: there is no package ace/shared/gone",
		"a -> fault is a solid arrow, but no import",
		"gone -> fault is a solid arrow, but no import",
		"task -> fault is a dotted arrow, but an import",
	}
	if got := routeProblems(route, g); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	layers, err := parseDiagram("flowchart TD\n  p[\"<b>p</b><br/>local, app\"]\n  m[\"<b>m</b><br/>task, task\"]\n  b[\"<b>b</b><br/>fault\"]\n  p --> b\n  b --> m\n")
	if err != nil {
		t.Fatal(err)
	}
	want = []string{
		"ace/shared/hidden is in no layer",
		"ace/shared/task imports ace/shared/fault, but no arrow leads from m to b",
		"ace/shared/task is in the layers m and m",
		"b -> m is an arrow, but no import",
	}
	if got := layerProblems(layers, g); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
