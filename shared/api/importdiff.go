package api

import (
	"errors"
	"regexp"
)

// UploadNew asks for a link to upload a document to, which is brought in by a request that names the upload.
const UploadNew = "new"

// ImportRequest brings a diff document: the body of the request, or what was uploaded before.
type ImportRequest struct {
	Upload string // "", UploadNew, or the Upload of the answer to that
}

// Imported answers ImportRequest: with the document, or with where to upload it.
type Imported struct {
	DiffFile  string `json:"diff_file,omitempty"` // imports/<sha256>.json
	Upload    string `json:"upload,omitempty"`
	UploadURL string `json:"upload_url,omitempty"` // takes one PUT of the document; secret
	ExpiresAt Time   `json:"expires_at,omitzero"`  // of UploadURL
}

// uploadPattern is that of crypto/rand.Text.
var uploadPattern = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// DecodeImport reads which upload is meant.
func DecodeImport(p Params) (ImportRequest, error) {
	r := newReader(p)
	req := ImportRequest{Upload: worded(r, "upload", parseUpload)}
	return req, r.finish(nil)
}

func parseUpload(text string) (string, error) {
	if text != UploadNew && !uploadPattern.MatchString(text) {
		return "", errors.New("allowed is new, or the upload of the answer to that")
	}
	return text, nil
}
