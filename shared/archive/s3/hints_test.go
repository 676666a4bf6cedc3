package s3

import (
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ace/shared/fault"
)

var update = flag.Bool("update", false, "write the golden file")

// reply is the response of a store. A response to HEAD has the status only.
type reply struct {
	status int
	body   string
	region string // header x-amz-bucket-region
}

func (a reply) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	if a.region != "" {
		w.Header().Set("X-Amz-Bucket-Region", a.region)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, a.body)
	}
}

func refusal(status int, code, message string) reply {
	return reply{status: status, body: "<Error><Code>" + code + "</Code><Message>" + message + "</Message></Error>"}
}

// Case O-P27, see docs/RELIABILITY.md. The replies are those of AWS, MinIO and other
// stores.
func TestStore_MessagesNameReasonAndRemedy(t *testing.T) {
	wrongRegion := refusal(400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting 'eu-central-1'")
	wrongRegion.body = strings.Replace(wrongRegion.body, "</Error>", "<Region>eu-central-1</Region></Error>", 1)
	redirect := refusal(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.")
	redirect.region = "eu-central-1"
	tests := []struct {
		name  string
		reply reply
	}{
		{"the clock is wrong", refusal(403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")},
		{"the region is wrong", wrongRegion},
		{"the region is wrong and unknown", refusal(400, "AuthorizationHeaderMalformed", "")},
		{"the bucket is elsewhere", redirect},
		{"the policy denies it", refusal(403, "AccessDenied", "Access Denied")},
		{"the key is unknown", refusal(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")},
		{"the secret is wrong", refusal(403, "SignatureDoesNotMatch", "The request signature we calculated does not match")},
		{"the token has expired", refusal(400, "ExpiredToken", "The provided token has expired.")},
		{"there is no bucket", refusal(404, "NoSuchBucket", "The specified bucket does not exist")},
		{"path style is refused", refusal(403, "SecondLevelDomainForbidden", "Please use virtual hosted style to access.")},
		{"no conditional writes", refusal(501, "NotImplemented", "A header you provided implies functionality that is not implemented")},
		{"Object Lock", refusal(400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters")},
		{"the disk is full", refusal(507, "InsufficientStorage", "No space left on device.")},
		{"the disk of MinIO is full", refusal(507, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold.")},
		{"the quota is used up", refusal(409, "QuotaExceeded", "")},
		{"something else", refusal(400, "InvalidDigest", "The Content-MD5\n  you specified is not valid.")},
		{"TLS is missing", reply{status: 400, body: "Client sent an HTTP request to an HTTPS server.\n"}},
		{"not S3", reply{status: 404, body: "<html>404 page not found</html>"}},
	}
	var got strings.Builder
	for _, tt := range tests {
		server := httptest.NewServer(tt.reply)
		opts := Options{Endpoint: server.URL, Region: "us-east-1", Bucket: "backups", Prefix: "ace", AccessKey: "key", SecretKey: "hunter2hunter2", PathStyle: true}
		_, opened := Open(t.Context(), opts)
		opts.Place = "directory /var/lib/ace"
		store, err := connect(opts)
		if err != nil {
			t.Fatal(err)
		}
		_, created := store.PutIfAbsent(t.Context(), "probe/x", "text/plain", []byte("x"))
		for _, err := range []error{opened, created} {
			if fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		fmt.Fprintf(&got, "%s\n  open:  %s\n  write: %s\n", tt.name, fault.PublicMessage(opened), fault.PublicMessage(created))
		store.Close()
		server.Close()
		text := strings.ReplaceAll(got.String(), server.URL, "ENDPOINT")
		got.Reset()
		got.WriteString(text)
	}
	checkGolden(t, "messages.golden", got.String())
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Case O-P27, see docs/RELIABILITY.md. A policy may permit only what is below a prefix.
// Then the request for the bucket itself is refused, but not the listing.
func TestOpen_NeedsNoRightsBeyondThePrefix(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("prefix") != "ace/" {
			refusal(403, "AccessDenied", "Access Denied").ServeHTTP(w, r)
			return
		}
		_, _ = io.WriteString(w, "<ListBucketResult><Name>backups</Name></ListBucketResult>")
	}))
	defer server.Close()
	store, err := Open(t.Context(), Options{Endpoint: server.URL, Region: "us-east-1", Bucket: "backups", Prefix: "ace", AccessKey: "key", SecretKey: "hunter2hunter2", PathStyle: true})
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
}

// Case O-P27, see docs/RELIABILITY.md.
func TestOpen_ExplainsConnectionsThatFail(t *testing.T) {
	listing := reply{status: 200, body: "<ListBucketResult></ListBucketResult>"}
	secure, plain := httptest.NewTLSServer(listing), httptest.NewServer(listing)
	t.Cleanup(secure.Close)
	t.Cleanup(plain.Close)
	dir := t.TempDir()
	bundle, empty := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "empty.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	for path, content := range map[string][]byte{bundle: certificate, empty: nil} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port := secure.URL[strings.LastIndex(secure.URL, ":"):]
	tests := []struct {
		name, endpoint, bundle, want string
		code                         fault.Code
	}{
		{"the authority is private", secure.URL, "", "its certificate is signed by an unknown authority: set AWS_CA_BUNDLE to a PEM file with the certificate of that authority", fault.Unavailable},
		{"the authority is known", secure.URL, bundle, "", ""},
		{"the name is another", "https://localhost" + port, bundle, "its certificate is not valid for localhost: correct the endpoint or the certificate", fault.Unavailable},
		{"the bundle is missing", secure.URL, bundle + "x", `AWS_CA_BUNDLE is "` + bundle + `x", which cannot be read: no such file or directory`, fault.Invalid},
		{"the bundle is empty", secure.URL, empty, `AWS_CA_BUNDLE is "` + empty + `", which contains no certificate in PEM format`, fault.Invalid},
		{"the store has no TLS", strings.Replace(plain.URL, "http:", "https:", 1), "", "it does not use TLS: write endpoint=http:// in the URL of the store", fault.Unavailable},
		{"there is no such host", "http://store.invalid", "", "the host store.invalid is not known", fault.Unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store, err := Open(t.Context(), Options{Endpoint: tt.endpoint, Region: "us-east-1", Bucket: "backups", AccessKey: "key", SecretKey: "hunter2hunter2", PathStyle: true, CABundle: tt.bundle})
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				store.Close()
				return
			}
			if fault.CodeOf(err) != tt.code || !strings.Contains(fault.PublicMessage(err), tt.want) {
				t.Errorf("got  %s\nwant %s", fault.PublicMessage(err), tt.want)
			}
		})
	}
}
