package minio

import (
	"context"
	"net/url"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/sse"

	"ace/shared/archive/s3"
)

// keyName is the name of the KMS key of a server that StartEncrypted has started.
const keyName = "ace-key"

// encryptBucket makes SSE-KMS the default of a bucket.
func encryptBucket(ctx context.Context, o s3.Options) error {
	c, err := client(o)
	if err != nil {
		return err
	}
	return c.SetBucketEncryption(ctx, o.Bucket, sse.NewConfigurationSSEKMS(keyName))
}

// Encryption returns how the server encrypts the object called key of an archive, such as
// "aws:kms". It returns "" if the object is not encrypted.
func (s *Server) Encryption(ctx context.Context, store *s3.Store, key string) (string, error) {
	o := s.Options(readyBucket)
	c, err := client(o)
	if err != nil {
		return "", err
	}
	info, err := c.StatObject(ctx, o.Bucket, store.Location().Prefix+"/"+key, minio.StatObjectOptions{})
	if err != nil {
		return "", err
	}
	return info.Metadata.Get("X-Amz-Server-Side-Encryption"), nil
}

func client(o s3.Options) (*minio.Client, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, err
	}
	return minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Region: o.Region})
}
