package endpoint_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"ace/infra/testkit/endpointtest"
	"ace/shared/api"
	"ace/shared/endpoint"
)

// lengths returns an endpoint that answers a GET with "list", and a POST of at most 2 MiB
// with the length of its body.
func lengths() endpoint.Endpoint {
	list := endpoint.JSON(api.RouteDiffs, api.DecodeDiffs, func(context.Context, api.DiffsRequest) (string, error) { return "list", nil })
	return endpoint.Receiving(list, 2<<20, api.DecodeImport, func(_ context.Context, _ api.ImportRequest, body io.Reader) (int64, error) {
		return io.Copy(io.Discard, body)
	})
}

func TestReceiving_PassesABodyUpToItsOwnLimit(t *testing.T) {
	for _, transport := range endpointtest.Both(t, newMux(t, lengths())) {
		post := func(body, query string, header endpoint.Header) endpoint.Request {
			return endpoint.Request{Method: "POST", Path: "/ace/diffs", RawQuery: query, Header: header, Body: []byte(body)}
		}
		checkAnswer(t, transport, request("/ace/diffs", ""), 200, `"list"`+"\n")
		checkAnswer(t, transport, post("", "", nil), 200, "0\n")
		checkAnswer(t, transport, post(strings.Repeat("x", 2<<20), "", nil), 200, "2097152\n")
		checkAnswer(t, transport, post("a=b", "", endpoint.Header{"content-type": "application/x-www-form-urlencoded"}), 200, "3\n")
		checkAnswer(t, transport, post(strings.Repeat("x", 2<<20+1), "", nil), 413,
			`{"error":"the request body is too large; the maximum is 2097152 bytes"}`+"\n")
		checkAnswer(t, transport, post("x", "limit=3", nil), 400, `{"error":"unknown parameter \"limit\"; the parameters are upload"}`+"\n")
		checkAnswer(t, transport, post("x", "", endpoint.Header{"content-encoding": "gzip"}), 400,
			`{"error":"Content-Encoding is \"gzip\"; the body must not be encoded"}`+"\n")
	}
}
