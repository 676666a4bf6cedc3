// Package openapi generates the OpenAPI description of the API, docs/openapi.json, from
// the code. The operations and parameters come from api.Operations, and the answers from
// the Go types that the endpoints return. The descriptions of the members of answers come
// from the comments in the source. A test compares the file with the code. After a change
// of the code, this command writes the file again:
//
//	go test ./infra/openapi -update
//
// Nothing of this package is shipped: the service returns the file.
package openapi
