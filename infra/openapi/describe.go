package openapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"

	"ace/shared/api"
	"ace/shared/app"
	"ace/shared/endpoint"
	"ace/shared/schedule"
)

const about = `ACE compares a PostgreSQL table between the nodes of a cluster, archives every row that differs, and repairs on request.

A comparison, rerun, repair or undo is a task. The request returns its id at once, and task-status reports its progress and result.

Every operation accepts GET with a query string, or POST with the same names in a form or in one flat JSON object. Read-only operations accept HEAD too. A path may end in a slash.

This description has one notation of each value. The service also accepts others: true may be written yes, t or 1, and in a JSON body any value may be the string that the query string would have. A POST may have parameters in the query string instead of the body.`

// Describe returns the description of the API. root is the directory of the module, from
// whose source files it reads the comments of the types.
func Describe(root string) ([]byte, error) {
	found, err := readComments(root, "shared/api", "shared/difffile", "shared/setfile", "shared/finding", "shared/replication", "shared/tablerepair", "infra/openapi")
	if err != nil {
		return nil, err
	}

	s := newSchemas(found)
	document := &Document{
		OpenAPI: "3.1.0",
		Info: Info{
			Title: "ACE", Summary: "Compares and repairs PostgreSQL tables", Description: about, Version: "1",
			License: License{Name: "Apache License 2.0", Identifier: "Apache-2.0"},
		},
		Servers: []Server{
			{"/", "the service that returned this description"},
			{"http://localhost:5000", "ace serve with its defaults"},
		},
		Security: []Requirement{{}, {"token": {}}, {"aws": {}}},
		Tags:     tags(),
	}
	document.Components.Headers = headers()
	document.Components.Parameters = sharedParameters()
	document.Components.Responses = failureResponses(s)
	document.Components.Security = securitySchemes()

	d := &describer{document: document, schemas: s, types: endpoints()}
	for _, o := range api.Operations() {
		d.add(o)
	}
	d.addMetrics()
	for _, t := range resultTypes() {
		s.of(t)
	}
	document.Components.Schemas = append(document.Components.Schemas, s.components...)
	return encode(document)
}

// endpoints returns the endpoints of the service, whose answers are described.
func endpoints() map[api.Route]endpoint.Endpoint {
	a := app.New(app.Options{})
	defer a.Close()
	byRoute := map[api.Route]endpoint.Endpoint{}
	for _, e := range append(a.Endpoints(nil), app.SchedulesEndpoint((*schedule.Scheduler)(nil))) {
		byRoute[e.Route] = e
	}
	return byRoute
}

func securitySchemes() Object[SecurityScheme] {
	return Object[SecurityScheme]{
		{"token", SecurityScheme{Type: "http", Scheme: "bearer", Description: "The token of ACE_TOKEN_FILE, if it is set."}},
		{"aws", SecurityScheme{
			Type: "apiKey", In: "header", Name: "Authorization", Amazon: "awsSigv4",
			Description: "A request to the Lambda functions is signed with AWS Signature Version 4.",
		}},
	}
}

// encode returns the description as JSON with indents.
func encode(document *Document) ([]byte, error) {
	var compact, indented bytes.Buffer
	encoder := json.NewEncoder(&compact)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return nil, err
	}
	err := json.Indent(&indented, compact.Bytes(), "", "  ")
	return indented.Bytes(), err
}

// camel returns a name such as table-diff as tableDiff, or as TableDiff if upper is true.
func camel(name string, upper bool) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case r == '-' || r == '.':
			upper = true
			continue
		case upper:
			r = unicode.ToUpper(r)
		}
		upper = false
		b.WriteRune(r)
	}
	return b.String()
}

// sentence returns a phrase with a full stop, and with a capital letter unless it begins
// with a name such as schema.table.
func sentence(phrase string) string {
	word, _, _ := strings.Cut(phrase, " ")
	if strings.ContainsAny(word, "._") {
		return phrase + "."
	}
	return strings.ToUpper(phrase[:1]) + phrase[1:] + "."
}

func splitList(text string) []string { return strings.Split(text, ",") }
