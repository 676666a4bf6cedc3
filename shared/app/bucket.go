package app

import (
	"ace/shared/archive/s3"
	"ace/shared/config"
)

// BucketOptions returns the options to open the bucket of a store that is not embedded.
// The credentials are those of the standard AWS chain.
func BucketOptions(c config.Store) s3.Options {
	return s3.Options{
		Endpoint: c.Endpoint, Region: c.Region, Bucket: c.Bucket, Prefix: c.Prefix,
		PathStyle: c.Endpoint != "", // servers other than AWS rarely support bucket.host names
	}
}
