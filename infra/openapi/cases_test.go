package openapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"

	"ace/docs"
	"ace/infra/testkit/apicases"
	"ace/infra/testkit/apicheck"
	"ace/infra/testkit/memstore"
	"ace/shared/api"
	"ace/shared/app"
	"ace/shared/caller"
	"ace/shared/cluster"
	"ace/shared/endpoint"
	"ace/shared/invoke"
)

// notExpressed lists, by the reason, requests that the service refuses although the
// description allows them.
func notExpressed() map[string][]string {
	return map[string][]string{
		"a pattern does not compare times":   {"confirm_delay too long", "confirm_delay without unit is seconds"},
		"a pattern does not decode a cursor": {"tables after half a name", "tables after no name"},
		"a pattern does not know SQL":        {"WHERE without an expression", "a schema twice", "a pattern twice", "ignore_columns names one twice", "redact names one twice"},
		"a schema cannot compare two parameters": {
			"a repair of its own source", "a script of changes that are made", "a script of an undo that is done", "a repair without a source",
			"a majority with a source", "rules without a document", "a document without rules", "what is missing at the source of truth", "a rule that only inserts",
		},
		"a schema sees an object after its names have become one":  {"JSON: a parameter twice", "JSON: a parameter twice, once escaped"},
		"a schema sees the value of a number and not its notation": {"JSON: a number with an exponent"},
		"the validator ignores any number of slashes at the end":   {"a path with two slashes at the end"},
	}
}

// notRead lists requests that are valid by the description, but not for the validator,
// which reads only integers of 64 bits.
func notRead() []string {
	return []string{"block_rows beyond 64 bits", "batch_size beyond 64 bits"}
}

func TestDescription_AllowsTheRequestsThatTheServiceAccepts(t *testing.T) {
	t.Parallel()
	good := append(apicases.Good(),
		apicases.Case{Name: "every default", Method: "GET", Path: "/ace/table-diff", RawQuery: "cluster_name=demo&table_name=public.users&nodes=all&baseline=none&quiet=false"},
		apicases.Case{Name: "a list of nodes", Method: "GET", Path: "/ace/table-diff", RawQuery: "cluster_name=demo&table_name=public.users&nodes=n1,n3"},
		apicases.Case{Name: "an object with a list", Method: "POST", Path: "/ace/table-diff", ContentType: "application/json",
			Body: `{"cluster_name": "demo", "table_name": "\"My Schema\".\"a.b\"", "nodes": ["n1", "n2"], "max_cpu_ratio": 0.5, "quiet": true}`},
		apicases.Case{Name: "a form with a list", Method: "POST", Path: "/ace/table-diff", ContentType: "application/x-www-form-urlencoded",
			Body: "cluster_name=demo&table_name=public.users&nodes=n1%2Cn2&block_rows=5000&quiet=true"},
		apicases.Case{Name: "an undo", Method: "POST", Path: "/ace/table-undo", ContentType: "application/json", Body: `{"task_id": "tr_20240315_123456"}`},
		apicases.Case{Name: "a page of a list", Method: "GET", Path: "/ace/tasks", RawQuery: "status=FAILED&limit=1000&after=8203984432879-td_20240315_123456"},
		apicases.Case{Name: "a time with a zone", Method: "GET", Path: "/ace/diffs", RawQuery: "since=2024-03-01&until=2024-03-15T12:34:56%2B02:00"},
		apicases.Case{Name: "a rendering", Method: "GET", Path: "/ace/diffs/td_20240315_123456", RawQuery: "format=html&download=true"},
	)
	for _, c := range good {
		if slices.Contains(notRead(), c.Name) {
			continue
		}
		for _, problem := range requestProblems(t, c) {
			t.Errorf("%s: %s %s?%s %s: %s", c.Name, c.Method, c.Path, c.RawQuery, c.Body, problem)
		}
	}
}

func TestDescription_RefusesTheRequestsThatTheServiceRefuses(t *testing.T) {
	t.Parallel()
	excepted := map[string]string{}
	for reason, names := range notExpressed() {
		for _, name := range names {
			excepted[name] = reason
		}
	}
	for _, c := range apicases.Bad() {
		refused := len(requestProblems(t, c)) > 0
		reason, isException := excepted[c.Name]
		switch delete(excepted, c.Name); {
		case !refused && !isException:
			t.Errorf("%s: %s %s?%.200s %.200s is valid, but the service answers %s", c.Name, c.Method, c.Path, c.RawQuery, c.Body, c.Error)
		case refused && isException:
			t.Errorf("%s is refused: it is no exception (%s)", c.Name, reason)
		}
	}
	for name := range excepted {
		t.Errorf("there is no request %q", name)
	}
}

// requestProblems returns why a request is invalid by the description.
func requestProblems(t *testing.T, c apicases.Case) []string {
	t.Helper()
	r, err := http.NewRequest(c.Method, "http://localhost:5000", strings.NewReader(c.Body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Path = "/" + strings.TrimPrefix(strings.TrimSuffix(c.Path, "/"), "/")
	r.URL.RawQuery = c.RawQuery
	if c.ContentType != "" {
		r.Header.Set("Content-Type", c.ContentType)
	}
	_, found := check(t).ValidateHttpRequestSync(r)
	var problems []string
	for _, problem := range found {
		problems = append(problems, problem.Message+": "+problem.Reason)
	}
	if c.Method == "GET" { // the library checks the items of a list, but not the list
		problems = append(problems, apicheck.Query(c.Path, c.RawQuery)...)
	}
	return problems
}

// check returns the validator of the description, which also reports parameters that are
// not described.
func check(t *testing.T) validator.Validator {
	t.Helper()
	made, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

var loaded = sync.OnceValues(func() (validator.Validator, error) {
	document, err := libopenapi.NewDocument([]byte(docs.OpenAPI()))
	if err != nil {
		return nil, err
	}
	made, found := validator.NewValidator(document,
		config.WithStrictMode(), config.WithURLEncodedBodyValidation(), config.WithRejectUndeclaredRequestBody(), config.WithRejectUnsupportedBodyContent())
	if len(found) > 0 {
		return nil, found[0]
	}
	return made, nil
})

func TestDescription_HasTheAnswerToEveryCase(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	a := app.New(app.Options{Store: memstore.New(t), Clusters: cluster.NewSource(cluster.Options{Path: t.TempDir()}), Log: log})
	t.Cleanup(a.Close)
	idle := invoke.NewQueue(0, 1, nil)
	t.Cleanup(idle.Close)
	mux, err := endpoint.New(endpoint.Options{Logger: log}, a.Endpoints(idle)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range slices.Concat(apicases.Bad(), apicases.Good()) {
		req := endpoint.Request{Method: c.Method, Path: c.Path, RawQuery: c.RawQuery, Body: []byte(c.Body), Header: endpoint.Header{"content-type": c.ContentType}}
		apicheck.Answer(t, req, mux.Handle(caller.AsService(t.Context()), req))
	}
	for _, route := range api.Routes() {
		req := endpoint.Request{Method: "GET", Path: route.Path("td_20240315_123456")}
		apicheck.Answer(t, req, mux.Handle(caller.AsService(t.Context()), req))
	}
}

func TestDescription_IsReturnedWithoutAStore(t *testing.T) {
	t.Parallel()
	a := app.New(app.Options{}) // using the store would panic
	t.Cleanup(a.Close)
	mux, err := endpoint.New(endpoint.Options{}, a.Endpoints(nil)...)
	if err != nil {
		t.Fatal(err)
	}
	resp := mux.Handle(caller.AsService(context.Background()), endpoint.Request{Method: "GET", Path: "/ace/openapi.json"})
	var want bytes.Buffer
	if err := json.Compact(&want, []byte(docs.OpenAPI())); err != nil {
		t.Fatal(err)
	}
	if resp.Status != 200 || string(bytes.TrimSpace(resp.Body)) != want.String() || resp.Header["Content-Type"] != "application/json" {
		t.Errorf("status %d, %v, %d bytes, want the %d of docs/openapi.json", resp.Status, resp.Header, len(resp.Body), want.Len())
	}
}
