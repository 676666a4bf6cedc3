package template

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Template is what template.yaml deploys.
type Template struct {
	Functions []Function // the functions of the template, sorted by name
	raw       any
}

// Function is one function of the template.
type Function struct {
	ID          string // the logical id in the template
	Directory   string // the name of the directory in functions/
	Timeout     string // the number of seconds, or a reference such as ${UnitTimeout} to the parameter that contains it
	Concurrency string // the reserved concurrency of the function; "" means that none is reserved
	Env         map[string]string
	Statements  []Statement
	Routes      []string // paths of the API; $default means all other paths
	Schedule    string
}

// Statement is one statement of the policy of a function's role. A reference to another
// resource has the form of !Sub, such as ${Archive.Arn}/tasks/*.
type Statement struct {
	Actions   []string
	Resources []string
}

// Load reads the template at a path.
func Load(file string) (*Template, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(content, &node); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	raw, err := value(&node)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	t := &Template{raw: raw}
	resources := object(at(raw, "Resources"))
	for _, id := range slices.Sorted(maps.Keys(resources)) {
		if text(at(resources[id], "Type")) == "AWS::Serverless::Function" {
			t.Functions = append(t.Functions, t.function(id, at(resources[id], "Properties")))
		}
	}
	return t, nil
}

// Select returns the directory of the function to which the API sends a path, or "" if no
// route matches. A route such as /ace/diffs or /ace/diffs/{id} takes precedence over a
// route that ends with {proxy+}, and both over $default.
func (t *Template) Select(path string) string {
	chosen, best := "", -1
	for _, f := range t.Functions {
		for _, route := range f.Routes {
			if rank := rankOf(route, path); rank > best {
				chosen, best = f.Directory, rank
			}
		}
	}
	return chosen
}

// rankOf returns how well a route matches a path, or -1 if it does not match. Of several
// routes that match, the API chooses the one with the highest rank.
func rankOf(route, path string) int {
	if route == "$default" {
		return 0
	}
	before, greedy := strings.CutSuffix(route, "{proxy+}")
	if greedy {
		if strings.HasPrefix(path, before) {
			return 1
		}
		return -1
	}
	before, variable, _ := strings.Cut(route, "{")
	rest, ok := strings.CutPrefix(path, before)
	if !ok || (rest == "") != (variable == "") || strings.Contains(rest, "/") {
		return -1
	}
	return 2
}

// Get returns the value at keys, which lead to it from the root of the template through
// nested objects. It returns nil if there is no such value.
func (t *Template) Get(keys ...string) any { return at(t.raw, keys...) }

func (t *Template) function(id string, properties any) Function {
	f := Function{
		ID:        id,
		Directory: strings.TrimSuffix(path.Base(text(at(properties, "CodeUri"))), ".zip"),
		Timeout:   text(at(properties, "Timeout")),
		Env:       map[string]string{},
	}
	if reserved := at(properties, "ReservedConcurrentExecutions"); reserved != nil {
		f.Concurrency = text(reserved)
	}
	for _, variables := range []any{at(t.raw, "Globals", "Function", "Environment", "Variables"), at(properties, "Environment", "Variables")} {
		for name, v := range object(variables) {
			f.Env[name] = text(v)
		}
	}
	for _, policy := range list(at(properties, "Policies")) {
		if branches := list(at(policy, "Fn::If")); len(branches) > 1 {
			policy = branches[1]
		}
		for _, s := range list(at(policy, "Statement")) {
			f.Statements = append(f.Statements, Statement{texts(at(s, "Action")), texts(at(s, "Resource"))})
		}
	}
	events := object(at(properties, "Events"))
	for _, name := range slices.Sorted(maps.Keys(events)) {
		f.addEvent(events[name])
	}
	return f
}

func (f *Function) addEvent(event any) {
	switch text(at(event, "Type")) {
	case "HttpApi":
		route := "$default"
		if at(event, "Properties", "Path") != nil {
			route = text(at(event, "Properties", "Path"))
		}
		f.Routes = append(f.Routes, route)
	case "ScheduleV2":
		f.Schedule = text(at(event, "Properties", "ScheduleExpression"))
	}
}

func texts(v any) []string {
	var all []string
	for _, item := range list(v) {
		all = append(all, text(item))
	}
	return all
}
