package dirstore

import (
	"encoding/hex"
	"os"
	"strings"

	"ace/shared/fault"
)

// sum is what a file below sums/ records about an object. Its text is input of `sha256sum
// --check`, which ignores lines that begin with #.
type sum struct {
	hash        string // SHA-256 of the content in hexadecimal, which is also the ETag
	contentType string
}

const typePrefix = "# type: "

// maxType is the maximum length of a content type in bytes. It is far below what a record
// has room for (maxRecord), because a longer record could not be read again.
const maxType = 1 << 10

// text returns the content of the file below sums/ that belongs to the object at path.
func (s sum) text(path string) string {
	return typePrefix + s.contentType + "\n" + s.hash + "  " + filesDir + "/" + path + "\n"
}

// parseSum parses the result of text. It returns false if text is damaged.
func parseSum(text string) (sum, bool) {
	first, rest, _ := strings.Cut(text, "\n")
	contentType, hasType := strings.CutPrefix(first, typePrefix)
	hash, _, hasPath := strings.Cut(rest, "  ")
	_, err := hex.DecodeString(hash)
	return sum{hash: hash, contentType: contentType}, hasType && hasPath && len(hash) == 64 && err == nil && strings.HasSuffix(rest, "\n")
}

// readSum reads the sum of the object at path. The caller has the read lock of the path.
func (s *Store) readSum(path string) (sum, error) {
	text, err := os.ReadFile(s.sumFile(path))
	if err != nil {
		return sum{}, err
	}
	parsed, ok := parseSum(string(text))
	if !ok {
		return sum{}, fault.New(fault.Internal, "the archive (directory %s) is damaged: %s/%s has no SHA-256", s.dir, sumsDir, path)
	}
	return parsed, nil
}

// stageSum writes the sum of the object at path to tmp/ and returns the name of the file,
// also after an error.
func (s *Store) stageSum(path string, written sum) (string, error) {
	return s.stage([]byte(written.text(path)))
}

// replaceSum replaces the sum of the object at path and leaves its content unchanged.
func (s *Store) replaceSum(path string, written sum) error {
	name, err := s.stageSum(path, written)
	if err == nil {
		err = s.mkdirs(path)
	}
	if err != nil {
		return err
	}
	s.at("replace sum")
	return os.Rename(s.tmpFile(name), s.sumFile(path))
}

// checkType returns an error if a content type cannot be recorded.
func checkType(contentType string) error {
	if strings.ContainsAny(contentType, "\r\n") || len(contentType) > maxType {
		return fault.New(fault.Invalid, "an object cannot have the content type %.100q", contentType)
	}
	return nil
}
