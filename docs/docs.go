// Package docs holds the OpenAPI description of the API, so that the service can return
// it. Package infra/openapi generates the description from the code.
package docs

import (
	_ "embed"
)

//go:embed openapi.json
var openAPI string

// OpenAPI returns the OpenAPI 3.1 description of all routes, as JSON.
func OpenAPI() string { return openAPI }
