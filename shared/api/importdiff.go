package api

// ImportRequest brings a diff document: the body of the request. It has no parameters.
type ImportRequest struct{}

// Imported answers ImportRequest.
type Imported struct {
	DiffFile string `json:"diff_file"` // imports/<sha256>.json
}

// DecodeImport makes sure that there are no parameters.
func DecodeImport(p Params) (ImportRequest, error) { return ImportRequest{}, newReader(p).finish(nil) }
