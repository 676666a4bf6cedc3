// Package openapi generates the OpenAPI description of the API, docs/openapi.json, from
// the code: the operations and parameters from api.Operations, the answers from the Go
// types that the endpoints return, and the descriptions of their members from the
// comments in the source. A test compares the file with what the code says now:
//
//	go test ./infra/openapi -update
//
// writes it again. Nothing of this package is shipped: the service returns the file.
package openapi
