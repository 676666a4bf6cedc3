package app

import (
	"ace/shared/archive/s3"
	"ace/shared/config"
)

// BucketOptions says how to open the bucket of a store that is not embedded. Credentials come from the standard AWS chain.
func BucketOptions(c config.Store) s3.Options {
	return s3.Options{
		Endpoint: c.Endpoint, Region: c.Region, Bucket: c.Bucket, Prefix: c.Prefix,
		PathStyle: c.Endpoint != "", // a host of our own seldom answers to bucket.host
	}
}
