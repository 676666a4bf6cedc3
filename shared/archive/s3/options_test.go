package s3

import (
	"net/url"
	"strings"
	"testing"

	"ace/shared/fault"
)

func TestOptions_Endpoint(t *testing.T) {
	tests := []struct {
		name, endpoint, want string
		ok                   bool
	}{
		{"AWS when empty", "", "https://s3.amazonaws.com", true},
		{"plain", "http://127.0.0.1:9000", "http://127.0.0.1:9000", true},
		{"with a final slash", "https://minio.example/", "https://minio.example", true},
		{"without a scheme", "127.0.0.1:9000", "", false},
		{"with another scheme", "ftp://minio.example", "", false},
		{"without a host", "http://", "", false},
		{"with a path", "http://minio.example/bucket", "", false},
		{"with a query", "http://minio.example?region=x", "", false},
		{"with credentials", "http://key:hunter2@minio.example", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := Options{Endpoint: tt.endpoint}.endpoint()
			if !tt.ok {
				if fault.CodeOf(err) != fault.Invalid || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("got %v, want Invalid without the password", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := u.Scheme + "://" + u.Host; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzOptions_EndpointIsOnlySchemeAndHost(f *testing.F) {
	for _, seed := range []string{"", "http://127.0.0.1:9000", "https://a:b@c/", "http://[::1]:9000", "http://%zz", "x://y", "http://h/p?q#f", "//0.0.1:900@"} {
		f.Add(seed)
	}
	_, always := Options{Endpoint: "ftp://x"}.endpoint()
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Options{Endpoint: text}.endpoint()
		if err != nil {
			if fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%q: %v", text, err)
			}
			in, perr := url.Parse(text)
			if perr != nil || in.User == nil {
				return
			}
			given := in.User.String()
			if len(given) > 8 && strings.Contains(err.Error(), given) && !strings.Contains(always.Error()+in.Host, given) {
				t.Errorf("%q: the error repeats the credentials: %v", text, err)
			}
			return
		}
		if u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
			t.Errorf("%q was accepted as %v", text, u)
		}
	})
}

func TestOptions_NeedABucketAndBothKeysOrNone(t *testing.T) {
	for _, opts := range []Options{{}, {Bucket: "b", AccessKey: "a"}, {Bucket: "b", SecretKey: "s"}} {
		if err := opts.validate(); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%+v: got %v, want Invalid", opts, err)
		}
	}
	if err := (Options{Bucket: "b"}).validate(); err != nil {
		t.Error(err)
	}
}

func TestOptions_PrefixEndsWithOneSlashOrIsEmpty(t *testing.T) {
	for in, want := range map[string]string{"": "", "/": "", "team": "team/", "team/": "team/", "/a/b/": "a/b/"} {
		if got := (Options{Prefix: in}).keyPrefix(); got != want {
			t.Errorf("prefix %q became %q, want %q", in, got, want)
		}
	}
}

func FuzzTotalSize(f *testing.F) {
	for _, seed := range []string{"", "bytes 0-4/5", "bytes 0-4/*", "bytes */12", "/", "//", "x/99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		n, ok := totalSize(header)
		if ok && !strings.Contains(header, "/") {
			t.Errorf("%q has the total %d", header, n)
		}
		if !ok && strings.HasSuffix(header, "/5") && strings.Count(header, "/") == 1 {
			t.Errorf("%q has no total", header)
		}
	})
}
