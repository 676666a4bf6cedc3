// Package openapi generates the OpenAPI description of the API, docs/openapi.json, from
// the code: the operations and parameters from api.Operations, the answers from the Go
// types that the endpoints return, and the descriptions of their members from the
// comments in the source. A test compares the file with the code. After a change of the
// code, this command writes the file again:
//
//	go test ./infra/openapi -update
//
// Nothing of this package is shipped: the service returns the file.
package openapi
