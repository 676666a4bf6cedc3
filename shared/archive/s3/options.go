package s3

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"ace/shared/fault"
)

const (
	awsEndpoint = "https://s3.amazonaws.com"

	// metadataTimeout bounds the request for the credentials of the host's AWS role,
	// which hangs on hosts outside AWS.
	metadataTimeout = 5 * time.Second
)

// Options name a bucket and how to reach it.
type Options struct {
	Endpoint string // URL without a path, like http://127.0.0.1:9000; empty: AWS
	// Region may be empty. It is then requested from the store, for which the credentials
	// need one more permission.
	Region string
	Bucket string // the name of the bucket; it must be set
	// Prefix precedes every key in the bucket. The keys that callers pass and receive do not
	// contain it. "team" and "team/" mean the same.
	Prefix string
	// AccessKey and SecretKey may be empty. The credentials are then those of the
	// standard AWS chain (environment, shared files, role of the container or host).
	AccessKey string
	SecretKey string
	// PathStyle puts the bucket in the path of the URL even if the server supports host
	// names with the bucket (bucket.host). With an IP address the bucket is always in the
	// path.
	PathStyle bool
	// CABundle is a file with the certificates, in PEM format, of the authorities that may
	// sign the store's certificate. If CABundle is empty, the authorities that the host
	// trusts may sign it.
	CABundle string
	// Place describes the store in messages. If it is empty, messages name the bucket
	// and the endpoint.
	Place string
}

// endpoint returns the parsed URL. Its error contains no part of the URL that could be a
// password.
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
		return fault.New(fault.Invalid, "the name of the archive's bucket is empty")
	}
	if (o.AccessKey == "") != (o.SecretKey == "") {
		return fault.New(fault.Invalid, "the archive needs both an access key and a secret key, or neither")
	}
	return nil
}

// place returns the text that describes the store in messages.
func (o Options) place(endpoint *url.URL) string {
	if o.Place != "" {
		return o.Place
	}
	return fmt.Sprintf("bucket %s at %s://%s", o.Bucket, endpoint.Scheme, endpoint.Host)
}

// transport returns the transport for requests to the store.
func (o Options) transport(secure bool) (*http.Transport, error) {
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "cannot set up connections to the archive")
	}
	if !secure || o.CABundle == "" {
		return transport, nil
	}

	pem, err := os.ReadFile(o.CABundle)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "AWS_CA_BUNDLE is %q, which cannot be read: %v", o.CABundle, errors.Unwrap(err))
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.Invalid, "AWS_CA_BUNDLE is %q, which contains no certificate in PEM format", o.CABundle)
	}
	transport.TLSClientConfig.RootCAs = authorities
	return transport, nil
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

// keyPrefix returns the text that precedes every key in the bucket: an empty string, or
// the prefix with a slash at its end.
func (o Options) keyPrefix() string {
	if p := strings.Trim(o.Prefix, "/"); p != "" {
		return p + "/"
	}
	return ""
}
