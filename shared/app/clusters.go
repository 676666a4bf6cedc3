package app

import (
	"context"
	"strings"

	"ace/shared/archive/s3"
	"ace/shared/cluster"
	"ace/shared/config"
)

// Clusters returns the source of the cluster definitions at c.Clusters. If that is a
// bucket, Clusters connects to it, and closeBucket closes the connections. Otherwise
// closeBucket does nothing. serviceFiles are the paths of the service files.
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
