package archive

import "strings"

// Location is the address of an archive, as users name it. The zero value is no address.
type Location struct {
	Bucket string
	Prefix string // without surrounding slashes
}

// Key converts a key of the whole bucket to the key that a Store takes. It returns false
// for an object outside the archive.
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
