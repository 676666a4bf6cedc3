package s3

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"ace/shared/fault"
)

const (
	awsEndpoint = "https://s3.amazonaws.com"

	// metadataTimeout bounds the question for a role's credentials, which hangs on hosts outside AWS.
	metadataTimeout = 5 * time.Second
)

// Options name a bucket and how to reach it.
type Options struct {
	Endpoint  string // URL without a path, like http://127.0.0.1:9000; empty: AWS
	Region    string // empty: asked of the store, which needs one more request and permission
	Bucket    string // required
	Prefix    string // stands before every key and is invisible to callers; "team" and "team/" mean the same
	AccessKey string // empty: the standard AWS chain (environment, shared files, role of the container or host)
	SecretKey string
	PathStyle bool // the bucket in the path even where the server knows bucket.host names; an IP address always has it
}

// endpoint gives the parsed URL, or a fault that repeats nothing of it that could be a password.
func (o Options) endpoint() (*url.URL, error) {
	text := o.Endpoint
	if text == "" {
		text = awsEndpoint
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fault.New(fault.Invalid, "the archive's endpoint must be an http or https URL like http://127.0.0.1:9000")
	}
	if u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		return nil, fault.New(fault.Invalid, "the archive's endpoint %s://%s must have neither credentials, nor a path, nor a query",
			u.Scheme, u.Host)
	}
	return u, nil
}

func (o Options) validate() error {
	if o.Bucket == "" {
		return fault.New(fault.Invalid, "the archive's bucket has no name")
	}
	if (o.AccessKey == "") != (o.SecretKey == "") {
		return fault.New(fault.Invalid, "the archive needs both an access key and a secret key, or neither")
	}
	return nil
}

func (o Options) credentials() *credentials.Credentials {
	if o.AccessKey != "" {
		return credentials.NewStaticV4(o.AccessKey, o.SecretKey, "")
	}
	return credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{},
		&credentials.FileAWSCredentials{},
		&credentials.IAM{Client: &http.Client{Timeout: metadataTimeout}},
	})
}

func (o Options) lookup() minio.BucketLookupType {
	if o.PathStyle {
		return minio.BucketLookupPath
	}
	return minio.BucketLookupAuto
}

// keyPrefix is what stands before every key: empty, or something that ends with a slash.
func (o Options) keyPrefix() string {
	if p := strings.Trim(o.Prefix, "/"); p != "" {
		return p + "/"
	}
	return ""
}
