package api

// OpenAPIRequest asks for the OpenAPI description of the API.
type OpenAPIRequest struct{}

// DecodeOpenAPI returns an error if there are parameters.
func DecodeOpenAPI(p Params) (OpenAPIRequest, error) {
	return OpenAPIRequest{}, newReader(p).finish(nil)
}
