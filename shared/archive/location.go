package archive

import "strings"

// Location is the address of an archive as users write it: s3://bucket/prefix. The zero
// value means that the archive has no such address.
type Location struct {
	Bucket string
	Prefix string // the prefix without slashes at its beginning and end
}

// Key converts key, the full key of an object in bucket, to the key without the prefix,
// which the methods of Store accept. It returns false if the object is outside the
// archive.
func (l Location) Key(bucket, key string) (string, bool) {
	if bucket != l.Bucket || bucket == "" {
		return "", false
	}
	if l.Prefix == "" {
		return key, true
	}
	return strings.CutPrefix(key, l.Prefix+"/")
}

// String returns the location as users write it: s3://bucket/prefix, or s3://bucket if
// there is no prefix.
func (l Location) String() string {
	if l.Prefix == "" {
		return "s3://" + l.Bucket
	}
	return "s3://" + l.Bucket + "/" + l.Prefix
}
