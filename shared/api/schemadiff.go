package api

import (
	"fmt"
	"strings"
)

const (
	allSchemas = "*"

	allowedSchemas = `* for all schemas, or names separated by commas, such as public,"My Schema"`
)

// SchemaDiffRequest asks to compare the tables of one or more schemas between nodes. The
// JSON form of the request is stored as the parameters of the task.
type SchemaDiffRequest struct {
	Schemas Schemas `json:"schema_name"`

	SetRequest
}

// Schemas are names of schemas as in the system catalog. The name * alone stands for all
// schemas of users.
type Schemas []string

// All reports whether s stands for all schemas of users.
func (s Schemas) All() bool { return len(s) == 1 && s[0] == allSchemas }

// NewSchemaDiffRequest returns a request with all defaults. The caller must set the
// cluster and the schemas.
func NewSchemaDiffRequest() SchemaDiffRequest {
	return SchemaDiffRequest{SetRequest: newSetRequest()}
}

// Name returns the table_name of the task: the schemas, such as public.*,audit.*, or *
// for all schemas.
func (r SchemaDiffRequest) Name() string {
	if r.Schemas.All() {
		return allSchemas
	}
	names := make([]string, len(r.Schemas))
	for i, schema := range r.Schemas {
		names[i] = quoteIdentifier(schema) + ".*"
	}
	return strings.Join(names, ",")
}

// DecodeSchemaDiff decodes and validates the parameters of schema-diff. It returns all
// problems in one fault with code Invalid.
func DecodeSchemaDiff(p Params) (SchemaDiffRequest, error) {
	r, req := newReader(p), NewSchemaDiffRequest()
	req.readCluster(r)
	req.Schemas = parseWith(r, "schema_name", parseSchemas)
	req.read(r)
	return req, r.finish(req.problems())
}

func (r SchemaDiffRequest) problems() problems {
	var found problems
	found.add("cluster_name", clusterNameProblem(r.ClusterName))
	found.add("schema_name", schemasProblem(r.Schemas))
	return append(found, r.SetRequest.problems()...)
}

// Validate returns all problems of the request in one fault with code Invalid.
func (r SchemaDiffRequest) Validate() error { return r.problems().err() }

func schemasProblem(names Schemas) string {
	if len(names) == 0 {
		return "schema_name is required"
	}
	if name, twice := repeated(names); twice {
		return fmt.Sprintf("schema_name names %s twice; it must be %s", quote(name), allowedSchemas)
	}
	return ""
}

// parseSchemas parses the names of schemas separated by commas, or *.
func parseSchemas(text string) (Schemas, error) {
	if strings.TrimSpace(text) == allSchemas {
		return Schemas{allSchemas}, nil
	}
	names, err := parseIdentifiers(text)
	if err != nil {
		return nil, fmt.Errorf("%w; it must be %s", err, allowedSchemas)
	}
	return names, nil
}
