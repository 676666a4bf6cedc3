package archive

import "strings"

// Location is the address of an archive in the form that users write. The zero value
// means that the archive has no address.
type Location struct {
	Bucket string
	Prefix string // without surrounding slashes
}

// Key converts the key of an object in the whole bucket to the key that the methods of
// Store accept, which does not include the prefix. It returns false for an object outside
// the archive.
func (l Location) Key(bucket, key string) (string, bool) {
	if bucket != l.Bucket || bucket == "" {
		return "", false
	}
	if l.Prefix == "" {
		return key, true
	}
	return strings.CutPrefix(key, l.Prefix+"/")
}

// String returns the location as an address.
func (l Location) String() string {
	if l.Prefix == "" {
		return "s3://" + l.Bucket
	}
	return "s3://" + l.Bucket + "/" + l.Prefix
}
