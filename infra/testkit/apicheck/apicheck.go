// Package apicheck compares answers, and the requests that were accepted, with the
// OpenAPI description of the API (docs/openapi.json). It is for tests only.
package apicheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/pb33f/jsonschema/v6"

	"ace/docs"
	"ace/shared/api"
	"ace/shared/endpoint"
)

// maxBody is the maximum number of bytes of an answer that is checked, so that tests with
// large documents stay fast.
const maxBody = 256 << 10

// Answer fails the test if an answer is not as the description says, or if the service
// accepted a GET that is invalid by the description.
func Answer(t testing.TB, req endpoint.Request, resp endpoint.Response) {
	t.Helper()
	for _, problem := range Problems(req, resp) {
		t.Errorf("%s %s: %s. The description is docs/openapi.json; after a change of the code, run go test ./infra/openapi -update",
			req.Method, req.Path, problem)
	}
}

// Problems returns the ways in which a request and its answer contradict the description.
func Problems(req endpoint.Request, resp endpoint.Response) []string {
	d, err := description()
	if err != nil {
		return []string{err.Error()}
	}
	route, ok := routeOf(req.Path)
	if !ok || req.Method != "GET" && req.Method != "POST" || resp.Status == 405 {
		return d.undescribed(resp)
	}

	operation := []string{"paths", string(route), strings.ToLower(req.Method)}
	if err := d.answer(operation, resp.Status, resp.Header["Content-Type"], resp.Body); err != nil {
		return []string{fmt.Sprintf("the answer %d is not as described: %v", resp.Status, err)}
	}
	if resp.Status >= 300 || req.Method != "GET" {
		return nil
	}
	return d.query(operation, req.RawQuery)
}

// Query returns the reasons why the query string of a GET is invalid by the description.
// It returns no reason for a path that is not described.
func Query(path, rawQuery string) []string {
	d, err := description()
	if err != nil {
		return []string{err.Error()}
	}
	route, ok := routeOf(path)
	if !ok {
		return nil
	}
	return d.query([]string{"paths", string(route), "get"}, rawQuery)
}

// Document fails the test if the JSON document that a path downloads is not as the
// description says.
func Document(t testing.TB, path string, content []byte) {
	t.Helper()
	d, err := description()
	if err != nil {
		t.Fatal(err)
	}
	route, _ := routeOf(path)
	if err := d.answer([]string{"paths", string(route), "get"}, 200, "application/json", content); err != nil {
		t.Errorf("the document at %s is not as docs/openapi.json says: %v", path, err)
	}
}

func routeOf(path string) (api.Route, bool) {
	for _, route := range api.Routes() {
		if _, ok := route.Match(path); ok {
			return route, true
		}
	}
	return "", false
}

// described is the description, with a compiler of its schemas.
type described struct {
	root map[string]any

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema
}

// name is the name of the description for the compiler.
const name = "openapi.json"

// description returns the description, which is read once.
//
//nolint:gochecknoglobals // one for all tests of a process
var description = sync.OnceValues(func() (*described, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(docs.OpenAPI()))
	if err != nil {
		return nil, err
	}
	closeObjects(document)
	d := &described{compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}}
	d.root, _ = document.(map[string]any)
	d.compiler.AssertFormat()
	return d, d.compiler.AddResource(name, document)
})

// closeObjects forbids additional members in every schema that lists members, so that a
// member without a description is an error.
func closeObjects(value any) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			closeObjects(item)
		}
	case map[string]any:
		if _, lists := v["properties"].(map[string]any); lists && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, member := range v {
			closeObjects(member)
		}
	}
}

// undescribed checks the answer to a request that belongs to no operation.
func (d *described) undescribed(resp endpoint.Response) []string {
	if resp.Status < 400 || len(resp.Body) == 0 { // a HEAD has no body
		return nil
	}
	if err := d.validate([]string{"components", "schemas", "Failure"}, resp.Body); err != nil {
		return []string{fmt.Sprintf("the answer %d is not as described: %v", resp.Status, err)}
	}
	return nil
}

// answer compares an answer with the answers that the description lists for an operation.
func (d *described) answer(operation []string, status int, contentType string, body []byte) error {
	at := append(append([]string{}, operation...), "responses", strconv.Itoa(status))
	response, ok := d.at(at).(map[string]any)
	if !ok {
		return fmt.Errorf("the status is not described")
	}
	if to, ok := response["$ref"].(string); ok {
		at = strings.Split(strings.TrimPrefix(to, "#/"), "/")
	}
	if content, _ := d.at(append(slices.Clip(at), "content")).(map[string]any); len(content) == 0 && contentType == "" && len(body) == 0 {
		return nil // such as a 304
	}
	media, _, _ := strings.Cut(contentType, ";")
	at = append(at, "content", media, "schema")
	if d.at(at) == nil {
		return fmt.Errorf("the content type %q is not described", contentType)
	}
	if media != "application/json" || len(body) == 0 || len(body) > maxBody { // a download has no body yet
		return nil
	}
	return d.validate(at, body)
}

// query compares the parameters of a GET with the parameters that the description lists
// for an operation.
func (d *described) query(operation []string, rawQuery string) []string {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return []string{err.Error()}
	}
	at := append(append([]string{}, operation...), "parameters")
	parameters, _ := d.at(at).([]any)
	var problems []string
	for i, item := range parameters {
		parameter, _ := item.(map[string]any)
		called, _ := parameter["name"].(string)
		if parameter["in"] != "query" {
			continue
		}
		given := values[called]
		delete(values, called)
		switch {
		case len(given) > 1:
			problems = append(problems, called+" is described as one value, not several")
		case len(given) == 1:
			schema := append(append([]string{}, at...), strconv.Itoa(i), "schema")
			if err := d.value(schema, given[0]); err != nil {
				problems = append(problems, fmt.Sprintf("%s=%.300q is not as described: %v", called, given[0], err))
			}
		case parameter["required"] == true:
			problems = append(problems, called+" is described as required")
		}
	}
	for called := range values {
		problems = append(problems, called+" is not described")
	}
	return problems
}

// value compares the value of a parameter with its schema.
func (d *described) value(schema []string, text string) error {
	if !utf8.ValidString(text) {
		return errors.New("not valid UTF-8")
	}
	return d.validate(schema, notation(d.at(schema), text))
}

// notation converts the text of a parameter in a query string to JSON of the type that
// the schema requires. It converts every notation of a boolean, such as yes, to true or
// false, because the schema allows only these two.
func notation(schema any, text string) []byte {
	object, _ := schema.(map[string]any)
	var value any = text
	switch object["type"] {
	case "boolean":
		if flag, known := flags()[strings.ToLower(text)]; known {
			value = flag
		}
	case "integer", "number":
		value = json.Number(text)
	case "array":
		value = strings.Split(text, ",")
	}
	encoded, err := json.Marshal(value)
	if err != nil { // not a number
		return []byte(strconv.Quote(text))
	}
	return encoded
}

// flags maps each notation of a boolean in a query string to its value.
func flags() map[string]bool {
	return map[string]bool{"true": true, "t": true, "1": true, "yes": true, "false": false, "f": false, "0": false, "no": false}
}

// at returns the value at a path of names and indexes, or nil.
func (d *described) at(path []string) any {
	var value any = d.root
	for _, step := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// validate compares JSON with the schema at a path.
func (d *described) validate(path []string, body []byte) error {
	schema, err := d.schema(path)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return schema.Validate(value)
}

// schema returns the schema at a path, compiled once.
func (d *described) schema(path []string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	pointer := ""
	for _, step := range path {
		pointer += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(step))
	}
	if schema := d.compiled[pointer]; schema != nil {
		return schema, nil
	}
	schema, err := d.compiler.Compile(name + "#" + pointer)
	if err != nil {
		return nil, err
	}
	d.compiled[pointer] = schema
	return schema, nil
}
