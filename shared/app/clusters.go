package app

import (
	"context"
	"strings"

	"ace/shared/archive/s3"
	"ace/shared/cluster"
	"ace/shared/config"
)

// Clusters returns the source of the cluster definitions at c.Clusters. If c.Clusters
// names a bucket, Clusters connects to the bucket, and closeBucket closes the
// connections. Otherwise closeBucket does nothing. serviceFiles are the service files of
// c.
func Clusters(ctx context.Context, c config.Config, serviceFiles []config.ServiceFile) (source cluster.Source, closeBucket func(), err error) {
	options := cluster.Options{Path: c.Clusters, CertificateDir: c.CertificateDir()}
	options.PasswordFile, options.PasswordFileNamed = c.PasswordFile()
	for _, file := range serviceFiles {
		options.ServiceFiles = append(options.ServiceFiles, cluster.ServiceFile(file))
	}
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

// VariablesIgnored is the log message about the variables that IgnoreVariables returns.
const VariablesIgnored = "variables of libpq have no effect: set the parameters in the cluster definitions"

// IgnoreVariables removes the variables of libpq, such as PGSSLMODE and PGSERVICE, from
// the environment of the process, because only the cluster definition may decide how a
// node is reached. A program must call it before it opens connections. It returns the
// names of the variables that were set.
func IgnoreVariables() ([]string, error) { return config.Unset(cluster.IgnoredVariables()) }
