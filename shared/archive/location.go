package archive

import "strings"

// Location is where an archive lies, as users name it. The zero value is nowhere.
type Location struct {
	Bucket string
	Prefix string // without slashes around it
}

// Key gives the key, as a Store takes it, of an object that the whole bucket knows under this key. It is false for one
// outside the archive.
func (l Location) Key(bucket, key string) (string, bool) {
	if bucket != l.Bucket || bucket == "" {
		return "", false
	}
	if l.Prefix == "" {
		return key, true
	}
	return strings.CutPrefix(key, l.Prefix+"/")
}

// String writes the location as an address.
func (l Location) String() string {
	if l.Prefix == "" {
		return "s3://" + l.Bucket
	}
	return "s3://" + l.Bucket + "/" + l.Prefix
}
