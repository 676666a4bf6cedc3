package app

import (
	"context"
	"strings"

	"ace/shared/archive/s3"
	"ace/shared/cluster"
	"ace/shared/config"
)

// Clusters finds cluster definitions where the configuration says, in a bucket too, which must exist. close closes the
// connections to it. serviceFiles are those of the configuration.
func Clusters(ctx context.Context, c config.Config, serviceFiles []string) (source cluster.Source, closeBucket func(), err error) {
	options := cluster.Options{Path: c.Clusters, ServiceFiles: serviceFiles, PasswordFile: c.PasswordFile()}
	at, inBucket, err := c.ClustersBucket()
	if err != nil || !inBucket {
		return cluster.NewSource(options), func() {}, err
	}
	bucket, err := s3.Open(ctx, BucketOptions(at))
	if err != nil {
		return cluster.Source{}, nil, err
	}
	options.Path, _, _ = strings.Cut(c.Clusters, "?")
	options.Bucket = bucket
	return cluster.NewSource(options), bucket.Close, nil
}
