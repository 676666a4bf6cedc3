// Package endpointtest sends the same requests through every transport of a Mux. So a
// test can state the API's response once and check it for all transports. It is for tests
// only.
package endpointtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"ace/shared/endpoint"
	"ace/shared/endpoint/httpx"
	"ace/shared/endpoint/lambdax"
)

// Transport is one way to send requests to a Mux. Do fails the test if there is no
// answer.
type Transport struct {
	Name string
	Do   func(endpoint.Request) endpoint.Response
}

// Both returns three transports: a real HTTP server on loopback, the Lambda handler with
// the events of an API Gateway stage, and the Lambda handler with those of a function
// URL. The server ends with the test.
func Both(t testing.TB, mux *endpoint.Mux) []Transport {
	t.Helper()
	return []Transport{
		{"net/http", overHTTP(t, mux)},
		{"API Gateway", overLambda(t, mux, gatewayEvent)},
		{"function URL", overLambda(t, mux, functionURLEvent)},
	}
}

func overHTTP(t testing.TB, mux *endpoint.Mux) func(endpoint.Request) endpoint.Response {
	server := httptest.NewServer(httpx.Handler(mux, httpx.Options{}))
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	base, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return func(req endpoint.Request) endpoint.Response {
		t.Helper()
		resp, err := client.Do(httpRequest(t, base, req))
		if err != nil {
			t.Fatalf("%s %s: %v", req.Method, req.Path, err)
		}
		return httpResponse(t, resp)
	}
}

func httpRequest(t testing.TB, base *url.URL, req endpoint.Request) *http.Request {
	t.Helper()
	target := *base
	target.Path, target.RawQuery = req.Path, req.RawQuery
	r, err := http.NewRequestWithContext(context.Background(), req.Method, base.String(), bytes.NewReader(req.Body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL = &target
	for name, value := range req.Header {
		r.Header.Set(name, value)
	}
	return r
}

func httpResponse(t testing.TB, resp *http.Response) endpoint.Response {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	header := make(map[string]string, len(resp.Header))
	for name, values := range resp.Header {
		header[name] = strings.Join(values, ", ")
	}
	return endpoint.Response{Status: resp.StatusCode, Header: header, Body: body}
}

// Gateway returns a transport that emulates an HTTP API of API Gateway in front of Lambda
// functions. send sends an event to the function that serves path, which does not contain
// the name of the stage, and returns the function's answer.
func Gateway(t testing.TB, name string, send func(path string, event []byte) (answer []byte, err error)) Transport {
	return Transport{name, overEvents(t, send, gatewayEvent)}
}

// overLambda returns a function that sends a request to the Lambda handler of mux and
// returns the response. It encodes the request as the JSON event that event returns, as
// AWS does.
func overLambda(t testing.TB, mux *endpoint.Mux, event func(endpoint.Request) map[string]any) func(endpoint.Request) endpoint.Response {
	handler := lambdax.Handler(mux)
	return overEvents(t, func(_ string, payload []byte) ([]byte, error) {
		var decoded lambdax.Event
		if err := json.Unmarshal(payload, &decoded); err != nil {
			return nil, err
		}
		answer, err := handler(context.Background(), decoded)
		if err != nil {
			return nil, err
		}
		return json.Marshal(answer)
	}, event)
}

func overEvents(
	t testing.TB, send func(path string, event []byte) ([]byte, error), event func(endpoint.Request) map[string]any,
) func(endpoint.Request) endpoint.Response {
	return func(req endpoint.Request) endpoint.Response {
		t.Helper()
		payload, err := json.Marshal(event(req))
		if err != nil {
			t.Fatal(err)
		}
		reply, err := send(req.Path, payload)
		if err != nil {
			t.Fatalf("%s %s: %v", req.Method, req.Path, err)
		}
		var answer lambdax.Answer
		if err := json.Unmarshal(reply, &answer); err != nil {
			t.Fatalf("%s %s: %v in %s", req.Method, req.Path, err, reply)
		}
		return endpoint.Response{Status: answer.StatusCode, Header: maps.Clone(answer.Headers), Body: []byte(answer.Body)}
	}
}

// gatewayEvent returns the event that an HTTP API of API Gateway sends from a stage that
// is not the default stage. The path in such an event begins with the name of the stage.
func gatewayEvent(req endpoint.Request) map[string]any {
	const stage = "prod"
	event := commonEvent(req, "/"+stage)
	event["routeKey"] = "ANY /{proxy+}"
	event["requestContext"].(map[string]any)["stage"] = stage
	return event
}

// functionURLEvent returns the event that a function URL sends.
func functionURLEvent(req endpoint.Request) map[string]any {
	event := commonEvent(req, "")
	event["routeKey"] = "$default"
	event["requestContext"].(map[string]any)["stage"] = "$default"
	return event
}

// commonEvent returns what both events have in common. Its body is encoded in base64, as
// AWS sends every body that it does not know to be text.
func commonEvent(req endpoint.Request, pathPrefix string) map[string]any {
	path := pathPrefix + (&url.URL{Path: req.Path}).EscapedPath()
	event := map[string]any{
		"version":         "2.0",
		"rawPath":         path,
		"rawQueryString":  req.RawQuery,
		"headers":         req.Header,
		"isBase64Encoded": len(req.Body) > 0,
		"requestContext": map[string]any{
			"http": map[string]any{"method": req.Method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
		},
	}
	if len(req.Body) > 0 {
		event["body"] = base64.StdEncoding.EncodeToString(req.Body)
	}
	return event
}
