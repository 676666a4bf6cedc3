package dirstore

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"ace/shared/fault"
)

const (
	// maxPiece is the maximum length of the name of a file or directory without the mark of
	// a continuation. File systems allow 255 bytes.
	maxPiece = 200
	// maxKey is the maximum length of a key in bytes, as in S3.
	maxKey = 1024

	continued = "%"  // ends the name of a directory whose entries continue the segment
	empty     = "%_" // the name of an empty segment
)

// PathOf returns the path of an object below files/ and sums/. Different keys have
// different paths, also on a file system that ignores the case of letters. No path has a
// component that begins with a dot.
func PathOf(key string) (string, error) {
	if key == "" || len(key) > maxKey || !utf8.ValidString(key) || strings.ContainsRune(key, 0) {
		return "", fault.New(fault.Invalid, "an object cannot have the key %.1100q: a key is UTF-8 of 1 to %d bytes without NUL", key, maxKey)
	}
	return pathOfSegments(key), nil
}

// pathOfSegments returns the path of the segments of a key. A long segment becomes
// several components.
func pathOfSegments(key string) string {
	var path strings.Builder
	for i, segment := range strings.Split(key, "/") {
		if i > 0 {
			path.WriteByte('/')
		}
		name := escape(segment)
		for len(name) > maxPiece {
			path.WriteString(name[:maxPiece] + continued + "/")
			name = name[maxPiece:]
		}
		path.WriteString(name)
	}
	return path.String()
}

// escape returns the name of a segment.
func escape(segment string) string {
	if segment == "" {
		return empty
	}
	var name strings.Builder
	for i := range len(segment) {
		c := segment[i]
		if isPlain(c) && (c != '.' || i > 0) {
			name.WriteByte(c)
			continue
		}
		name.WriteByte('%')
		name.WriteString(hex.EncodeToString([]byte{c}))
	}
	return name.String()
}

func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("._-+=,@~", c) >= 0
}

// unescape returns the segment with this name. It returns false if escape returns another
// name for the segment, so that a file which the store did not write is not listed.
func unescape(name string) (string, bool) {
	if name == empty {
		return "", true
	}
	var segment strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			segment.WriteByte(name[i])
			continue
		}
		if i+2 >= len(name) {
			return "", false
		}
		c, err := hex.DecodeString(name[i+1 : i+3])
		if err != nil {
			return "", false
		}
		segment.Write(c)
		i += 2
	}
	return segment.String(), segment.Len() > 0 && escape(segment.String()) == name
}
