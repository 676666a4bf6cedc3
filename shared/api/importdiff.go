package api

import (
	"errors"
	"regexp"
)

// UploadNew is a value of the parameter upload. It requests a URL to which the client can
// upload a document. A second request, whose parameter upload is the id of the upload,
// imports the document.
const UploadNew = "new"

const allowedUpload = "new, or the upload of the answer to that"

// ImportRequest asks to import a diff document: the body of the request, or an earlier
// upload.
type ImportRequest struct {
	Upload string // "", UploadNew, or Imported.Upload of the response to UploadNew
}

// Imported answers an ImportRequest. If a document was imported, only DiffFile is set. In
// the answer to upload=new, all other fields are set.
type Imported struct {
	DiffFile  string `json:"diff_file,omitempty"`  // the key of the document in the archive: imports/<sha256>.json
	Upload    string `json:"upload,omitempty"`     // the parameter upload of the request that imports the document
	UploadURL string `json:"upload_url,omitempty"` // where the client sends the document with PUT; secret
	ExpiresAt Time   `json:"expires_at,omitzero"`  // when UploadURL expires
}

// uploadForm is the pattern of the id of an upload, which crypto/rand.Text generates.
const uploadForm = `[A-Z2-7]{26}`

var uploadPattern = regexp.MustCompile(`^` + uploadForm + `$`)

// DecodeImport decodes and validates the parameters of an import.
func DecodeImport(p Params) (ImportRequest, error) {
	r := newReader(p)
	req := ImportRequest{Upload: parseWith(r, "upload", parseUpload)}
	return req, r.finish(nil)
}

func parseUpload(text string) (string, error) {
	if text != UploadNew && !uploadPattern.MatchString(text) {
		return "", errors.New("it must be " + allowedUpload)
	}
	return text, nil
}
