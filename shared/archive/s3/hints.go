package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"

	"ace/shared/archive"
	"ace/shared/fault"
)

// Codes of errors that minio-go does not define.
const (
	codeExpiredToken       = "ExpiredToken"
	codeInvalidToken       = "InvalidToken"
	codeInsufficient       = "InsufficientStorage"
	codeStorageFull        = "XMinioStorageFull" // code of MinIO
	codeQuotaExceeded      = "QuotaExceeded"
	codePermanentRedirect  = "PermanentRedirect"
	codeTemporaryRedirect  = "TemporaryRedirect"
	codeSecondLevelDomain  = "SecondLevelDomainForbidden" // code of Alibaba
	codeIllegalLocation    = "IllegalLocationConstraintException"
	codeBucketQuotaReached = "XMinioAdminBucketQuotaExceeded" // code of MinIO
)

// hint returns the end of a message about err: a colon, the reason for the error and, if
// known, what to do about it.
func (s *Store) hint(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return ": cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return ": no response in time"
	}
	resp := minio.ToErrorResponse(err)
	if resp.Code == "" {
		return ": " + connectionHint(err)
	}
	if text := s.codeHint(resp); text != "" {
		return ": " + text
	}
	if text := accessHint(resp.Code); text != "" {
		return ": " + text
	}
	if strings.Contains(resp.Message, "HTTP request to an HTTPS server") { // the text of the error in Go and in MinIO
		return ": it uses TLS: write endpoint=https:// in the URL of the store"
	}
	if resp.Message == "" || resp.Code == resp.Message {
		return ": " + resp.Code
	}
	return ": " + resp.Code + ": " + fault.Short(strings.Join(strings.Fields(resp.Message), " "))
}

// codeHint returns the message for an error code that does not concern the credentials or
// their rights. It returns "" if it has no message for the code.
func (s *Store) codeHint(resp minio.ErrorResponse) string {
	switch resp.Code {
	case minio.NoSuchBucket:
		return "the bucket does not exist"
	case minio.RequestTimeTooSkewed:
		return "the clocks of this host and of the store differ by more than the store accepts (15 minutes on AWS): correct this host's clock, such as by NTP"
	case minio.AuthorizationHeaderMalformed, minio.InvalidRegion, codeIllegalLocation, codePermanentRedirect, codeTemporaryRedirect:
		return s.regionHint(resp)
	case codeSecondLevelDomain:
		return "the store does not accept the bucket in the path of the URL (path style), which ACE uses for every endpoint but that of AWS: use another store"
	case codeInsufficient, codeStorageFull:
		return archive.HintNoSpace
	case codeQuotaExceeded, codeBucketQuotaReached:
		return archive.HintQuota
	case "InvalidRequest":
		if strings.Contains(resp.Message, "Content-MD5") || strings.Contains(resp.Message, "x-amz-checksum") {
			return "the store demands a checksum that ACE does not send, as for a bucket with Object Lock: use a bucket without a default retention"
		}
	}
	return ""
}

// regionHint returns the message for a request that was sent to the wrong region, or was
// signed for the wrong region.
func (s *Store) regionHint(resp minio.ErrorResponse) string {
	region := s.region
	if region == "" {
		region = "us-east-1, the default"
	}
	if resp.Region == "" {
		return fmt.Sprintf("the bucket is not in region %s, or has another endpoint: set region and endpoint in the URL of the store", region)
	}
	return fmt.Sprintf("the bucket is in region %s, not in %s: set region=%s in the URL of the store", resp.Region, region, resp.Region)
}

// accessHint returns the message for an error code that concerns the credentials or their
// rights. It returns "" for other codes.
func accessHint(code string) string {
	switch code {
	case minio.AccessDenied:
		return "access denied: the key's policy must allow s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject, s3:DeleteObject and " +
			"s3:AbortMultipartUpload on its objects, at least below the prefix of the archive"
	case "InvalidAccessKeyId":
		return "the store does not know the access key: check AWS_ACCESS_KEY_ID, or the credentials file and AWS_PROFILE"
	case "SignatureDoesNotMatch":
		return "the secret key does not belong to the access key, or a proxy changes the requests: check AWS_SECRET_ACCESS_KEY and the endpoint"
	case codeExpiredToken, codeInvalidToken:
		return "the credentials have expired or are not valid (" + code + "): renew them"
	}
	return ""
}

// connectionHint returns the message for an error without a response of the store.
func connectionHint(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		dns     *net.DNSError
		op      *net.OpError
		request *url.Error
	)
	switch {
	case !errors.As(err, &request):
		return err.Error() // a mistake that was found before a request was sent
	case errors.As(err, &unknown):
		return "its certificate is signed by an unknown authority: set AWS_CA_BUNDLE to a PEM file with the certificate of that authority"
	case errors.As(err, &name):
		return "its certificate is not valid for " + name.Host + ": correct the endpoint or the certificate"
	case errors.As(err, &invalid):
		return "its certificate is not valid (" + invalid.Error() + "): renew it, or correct this host's clock"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "it does not use TLS: write endpoint=http:// in the URL of the store"
	case errors.As(err, &dns):
		return "the host " + dns.Name + " is not known (" + dns.Err + "): correct the endpoint, or the name server"
	case errors.As(err, &op) && op.Op == "dial":
		return "no connection (" + op.Err.Error() + "): check the endpoint, and whether the store is running"
	}
	return "no response"
}

// hasNoReason reports whether err, the error of a HEAD request, may lack the store's
// reason for refusing the request. A response to HEAD has no body, which would contain
// the reason. The response to a GET request may contain it.
func hasNoReason(err error) bool {
	status := minio.ToErrorResponse(err).StatusCode
	return status >= http.StatusMovedPermanently && status < http.StatusInternalServerError &&
		status != http.StatusNotFound && status != http.StatusNotModified && status != http.StatusPreconditionFailed
}

func isNotImplemented(err error) bool {
	return minio.ToErrorResponse(err).StatusCode == http.StatusNotImplemented || hasCode(err, minio.NotImplemented)
}

// unconditional returns the error of a store that rejects conditional writes.
func (s *Store) unconditional(err error) error {
	return fault.Wrap(err, fault.Unavailable, "the archive (%s) does not support conditional writes (If-Match and If-None-Match), without which "+
		"two processes could change a task at once: use another store, such as AWS S3, MinIO, or a directory (ACE_STORE=file://...)", s.place)
}
