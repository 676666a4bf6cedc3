package lambdax

import (
	"encoding/json"
	"strings"
	"testing"

	"ace/shared/fault"
)

// FuzzRequest checks that an event of any content becomes a request whose header names
// are in lower case, or an error that is the caller's mistake.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"rawPath":"/ace/tasks","rawQueryString":"limit=1","headers":{"X-ACE-Request":"1"},"requestContext":{"http":{"method":"GET"},"stage":"$default"}}`))
	f.Add([]byte(`{"rawPath":"/prod/ace%2F..%2fx%zz","body":"!","isBase64Encoded":true,"requestContext":{"stage":"prod"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var event Event
		if json.Unmarshal(raw, &event) != nil {
			return
		}
		req, err := request(event)
		if err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Fatalf("code %s: %v", fault.CodeOf(err), err)
		}
		for name := range req.Header {
			if name != strings.ToLower(name) {
				t.Errorf("the request has the header %q", name)
			}
		}
		if len(req.Path) > len(event.RawPath) || len(req.Body) > len(event.Body) {
			t.Errorf("the request %+v is larger than its event", req)
		}
	})
}
