package httpx_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"ace/shared/caller"
	"ace/shared/endpoint/httpx"
)

// Whatever Range and conditions a download has, the answer is the file, a part of it, or
// a status that says why not.
func FuzzConditions(f *testing.F) {
	f.Add("bytes=2-4", "", "", "", "", "")
	f.Add("bytes=0-1,3-4", `"v1"`, "", `"v1"`, "", "")
	f.Add("bytes=-7", "", `W/"v1", *`, "Fri, 15 Mar 2024 12:34:56 GMT", "Fri, 15 Mar 2024 12:34:56 GMT", "")
	f.Add("bytes=9223372036854775807-9223372036854775808", "*", "", "", "", "Mon, 01 Jan 1990 00:00:00 GMT")
	f.Add("bytes="+strings.Repeat("0-9,", 100)+"0-9", "", "", "", "", "")
	f.Fuzz(func(t *testing.T, ranges, match, noneMatch, ifRange, since, unmodified string) {
		const whole = "0123456789"
		source := &content{Reader: strings.NewReader(whole)}
		r := httptest.NewRequest(http.MethodGet, diffPath, nil)
		for name, value := range map[string]string{
			"Range": ranges, "If-Match": match, "If-None-Match": noneMatch, "If-Range": ifRange, "If-Modified-Since": since, "If-Unmodified-Since": unmodified,
		} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		w := httptest.NewRecorder()
		httpx.Handler(newMux(t, io.Discard, fileOf(source)), httpx.Options{}).ServeHTTP(w, r)

		if !slices.Contains([]int{200, 206, 304, 400, 412, 416}, w.Code) {
			t.Errorf("the status is %d: %s", w.Code, w.Body)
		}
		single := !strings.HasPrefix(w.Header().Get("Content-Type"), "multipart/")
		if w.Code == 200 && w.Body.String() != whole || w.Code == 206 && single && !strings.Contains(whole, w.Body.String()) {
			t.Errorf("the answer %d has the body %q", w.Code, w.Body)
		}
		if w.Body.Len() > 10_000 {
			t.Errorf("ten bytes are answered with %d", w.Body.Len())
		}
	})
}

// Only the token itself, as a bearer token, is accepted.
func FuzzAuthorization(f *testing.F) {
	const token = "correct-horse"
	f.Add("Bearer " + token)
	f.Add("bearer  " + token)
	f.Add("Basic eDpjb3JyZWN0LWhvcnNl")
	f.Add("Bearer " + token + "\x00")
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, diffPath, nil)
		r.Header["Authorization"] = []string{header}
		w := httptest.NewRecorder()
		source := &content{Reader: strings.NewReader("0123456789")}
		httpx.Handler(newMux(t, io.Discard, fileOf(source)), httpx.Options{Callers: caller.Single(token)}).ServeHTTP(w, r)
		scheme, rest, _ := strings.Cut(header, " ")
		want := 401
		if strings.EqualFold(scheme, "bearer") && rest == token {
			want = 200
		}
		if w.Code != want {
			t.Errorf("%q is answered with %d, want %d", header, w.Code, want)
		}
		if strings.Contains(w.Body.String(), token) {
			t.Errorf("the answer shows the token: %s", w.Body)
		}
	})
}
