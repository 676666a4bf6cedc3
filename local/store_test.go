//go:build !unit

package main_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"ace/infra/testkit/minio"
	"ace/shared/archive/s3"
)

// onBucket are the settings of a service whose archive is a bucket at this endpoint.
func onBucket(o s3.Options, endpoint string) settings {
	return settings{
		"ACE_STORE":         "s3://" + o.Bucket + "/ace?endpoint=" + endpoint + "&region=" + o.Region,
		"AWS_ACCESS_KEY_ID": o.AccessKey, "AWS_SECRET_ACCESS_KEY": o.SecretKey,
		"ACE_LISTEN": "127.0.0.1:0",
	}
}

// forgetful returns the address of a proxy of a store. Like some stores, it drops the
// conditions of every write.
func forgetful(t *testing.T, o s3.Options) string {
	t.Helper()
	target, err := url.Parse(o.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = target.Host
		for _, name := range []string{"If-Match", "If-None-Match", "X-Forwarded-For", "Authorization"} {
			r.Out.Header.Del(name)
		}
		r.Out = signer.SignV4(*r.Out, o.AccessKey, o.SecretKey, "", o.Region)
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// Case O-P27, see docs/RELIABILITY.md.
func TestServe_RefusesAStoreThatDropsConditionsOrDoesNotLetItIn(t *testing.T) {
	t.Parallel()
	server := minio.Start(t)
	options := server.Options("archive")
	if err := s3.EnsureBucket(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	stranger := options
	stranger.SecretKey = "not-the-secret-key-of-this-store"
	missing := options
	missing.Bucket = "missing"
	secure := httptest.NewTLSServer(passing(t, options, nil))
	t.Cleanup(secure.Close)
	for _, tt := range []struct {
		name string
		env  settings
		want string
	}{
		{"conditions are dropped", onBucket(options, forgetful(t, options)),
			"the object store cannot be used as the archive: of 8 simultaneous creates of one object 8 were accepted instead of exactly one"},
		{"the key is wrong", onBucket(stranger, options.Endpoint), "the secret key does not belong to the access key, or a proxy changes the requests: check AWS_SECRET_ACCESS_KEY and the endpoint"},
		{"the clock is wrong", onBucket(options, late(t, options)), "the clocks of this host and of the store differ by more than the store accepts"},
		{"the authority is private", onBucket(options, secure.URL), "its certificate is signed by an unknown authority: set AWS_CA_BUNDLE"},
		{"there is no such bucket", onBucket(missing, options.Endpoint), "does not exist: create the bucket or correct its name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := refused(t, t.TempDir(), tt.env, 1); !strings.Contains(got, tt.want) {
				t.Errorf("serve says\n%s\nwant\n%s", got, tt.want)
			}
			code, text := run(t, t.TempDir(), tt.env, "doctor")
			if code != 1 || !strings.Contains(text, tt.want) {
				t.Errorf("doctor: exit code %d:\n%s", code, text)
			}
			checkSecret(t, "the output", text, tt.env["AWS_SECRET_ACCESS_KEY"])
		})
	}
	if code, text := run(t, t.TempDir(), onBucket(options, options.Endpoint), "doctor"); code != 0 {
		t.Errorf("a store that keeps its promises: exit code %d:\n%s", code, text)
	}
	if code, text := run(t, t.TempDir(), trusting(t, onBucket(options, secure.URL), secure), "doctor"); code != 0 {
		t.Errorf("a store with a private authority in AWS_CA_BUNDLE: exit code %d:\n%s", code, text)
	}
	checkNoProbeLeft(t, options)
}

// passing returns a proxy of a store. change, unless nil, changes the requests.
func passing(t *testing.T, o s3.Options, change func(http.Header)) *httputil.ReverseProxy {
	t.Helper()
	target, err := url.Parse(o.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // the Host header stays, because it is signed
		if change != nil {
			change(r.Out.Header)
		}
	}}
}

// late returns the endpoint of a proxy that dates each request back by an hour. MinIO
// checks the date before the signature.
func late(t *testing.T, o s3.Options) string {
	t.Helper()
	proxy := httptest.NewServer(passing(t, o, func(header http.Header) {
		header.Set("X-Amz-Date", time.Now().Add(-time.Hour).UTC().Format("20060102T150405Z"))
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// trusting adds AWS_CA_BUNDLE with the certificate of a server.
func trusting(t *testing.T, env settings, server *httptest.Server) settings {
	t.Helper()
	env["AWS_CA_BUNDLE"] = filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(env["AWS_CA_BUNDLE"], certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	return env
}

// checkNoProbeLeft makes sure that the checks have cleaned up.
func checkNoProbeLeft(t *testing.T, o s3.Options) {
	t.Helper()
	store, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, key := range keys(t, store, "") {
		t.Errorf("the checks of the store left %s", key)
	}
}
