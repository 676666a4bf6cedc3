//go:build !unit

package main_test

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

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

// forgetful stands before a store and drops the conditions of every write, as some stores
// do.
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
	for _, tt := range []struct {
		name string
		env  settings
		want string
	}{
		{"conditions are dropped", onBucket(options, forgetful(t, options)),
			"the object store cannot be used as the archive: of 8 simultaneous creates of one object 8 were accepted instead of exactly one"},
		{"the key is wrong", onBucket(stranger, options.Endpoint), "access denied, check the credentials and their rights on the bucket"},
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
	checkNoProbeLeft(t, options)
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
