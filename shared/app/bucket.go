package app

import (
	"ace/shared/archive/s3"
	"ace/shared/config"
)

// BucketOptions returns the options with which to open the bucket that c names. If c is
// embedded, there is no bucket, and the options must not be used. The credentials are
// those of the standard AWS chain.
func BucketOptions(c config.Store) s3.Options {
	return s3.Options{
		Endpoint: c.Endpoint, Region: c.Region, Bucket: c.Bucket, Prefix: c.Prefix,
		CABundle:  c.CABundle,
		PathStyle: c.Endpoint != "", // other servers than AWS often do not support host names of the form bucket.host
	}
}
