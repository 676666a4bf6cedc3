package api

import (
	"errors"
	"regexp"
	"strings"
)

// DiffFile names a diff document in exactly one way: by the task that wrote it, by its
// key in the archive, as an object of a bucket, or as a file of the service's host. If a
// client names a rendering (html, csv) in the archive, the DiffFile names the JSON
// document from which the rendering was made.
type DiffFile struct {
	TaskID string // id of the task that wrote the document
	Bucket string // bucket of an s3:// address; Key then begins with the archive's prefix
	Path   string // absolute path of a file on the service's host; the service may be configured not to read files
	Key    string // key of the document: diffs/2024-03-15/td_20240315_123456.json or imports/<sha256>.json
}

const (
	s3Scheme = "s3://"
	maxPath  = 4096 // maximum number of bytes of a path; Linux does not accept longer paths

	allowedDiffFile = "it must be a task id, or the diff_file of a task's result or an import, such as " +
		"diffs/2024-03-15/td_20240315_123456.json, also as s3://bucket/key of the archive"
	// importFirst is the error for a relative path or a URL. Users of pgEdge ACE may send
	// these, because pgEdge ACE stores diff files on the disk of its host.
	importFirst = "relative paths and URLs are not read: POST the document to /ace/diffs and use the diff_file of the answer"
)

// documentKey is the pattern of the key of a document or of one of its renderings.
const documentKey = `(diffs/\d{4}-\d\d-\d\d/(td|tr)_\d{8}_\d{6}(_[0-9a-z]{6})?|imports/[0-9a-f]{64})\.(json|csv|html)`

// addressForm is the pattern of the address of a document, without the scheme.
const addressForm = `[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/(.+/)?` + documentKey

var (
	keyPattern     = regexp.MustCompile(`^` + documentKey + `$`)
	addressPattern = regexp.MustCompile(`^` + addressForm + `$`)
)

// ParseDiffFile parses a task id, a key, an s3:// address or an absolute path. The error
// states what is wrong and what is allowed.
func ParseDiffFile(text string) (DiffFile, error) {
	if tableIDPattern.MatchString(text) {
		return DiffFile{TaskID: text}, nil
	}
	if taskIDPattern.MatchString(text) {
		return DiffFile{}, errors.New("this task compared several tables: name the task of one of them, which its document has")
	}

	if keyPattern.MatchString(text) {
		return DiffFile{Key: documentKeyOf(text)}, nil
	}

	if strings.HasPrefix(text, "/") && len(text) <= maxPath {
		return DiffFile{Path: text}, nil
	}

	address, isS3 := strings.CutPrefix(text, s3Scheme)
	switch {
	case isS3 && addressPattern.MatchString(address):
		bucket, key, _ := strings.Cut(address, "/")
		return DiffFile{Bucket: bucket, Key: documentKeyOf(key)}, nil
	case !isS3 && looksLikeAPath(text):
		return DiffFile{}, errors.New(importFirst)
	}
	return DiffFile{}, errors.New(allowedDiffFile)
}

// documentKeyOf returns the key of the JSON document that a rendering was made from.
func documentKeyOf(key string) string {
	return key[:strings.LastIndexByte(key, '.')] + "." + FormatJSON
}

func looksLikeAPath(text string) bool {
	if strings.ContainsAny(text, `/\~`) {
		return true
	}
	for _, format := range []string{FormatJSON, FormatCSV, FormatHTML} {
		if strings.HasSuffix(strings.ToLower(text), "."+format) {
			return true
		}
	}
	return false
}

// String returns the form that ParseDiffFile parses.
func (f DiffFile) String() string {
	switch {
	case f.Path != "":
		return f.Path
	case f.TaskID != "":
		return f.TaskID
	case f.Bucket != "":
		return s3Scheme + f.Bucket + "/" + f.Key
	}
	return f.Key
}

// MarshalText implements encoding.TextMarshaler. The text is that of String.
func (f DiffFile) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *DiffFile) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*f = DiffFile{}
		return nil
	}
	parsed, err := ParseDiffFile(string(text))
	*f = parsed
	return err
}
