package page

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"ace/shared/api"
	"ace/shared/endpoint"
)

// API answers requests of the API.
type API interface {
	Handle(ctx context.Context, req endpoint.Request) endpoint.Response
}

// refusal is an error that the API has answered, or that the page itself reports. A page
// may show its message.
type refusal struct {
	Status  int
	Message string
}

// Error implements error.
func (r *refusal) Error() string { return r.Message }

// get sends a GET request and returns the decoded answer.
func get[T any](ctx context.Context, a API, path string, query url.Values) (T, error) {
	return answer[T](a.Handle(ctx, endpoint.Request{Method: "GET", Path: path, RawQuery: query.Encode(), Header: endpoint.Header{}}))
}

// post sends parameters as a form in a POST request and returns the decoded answer.
func post[T any](ctx context.Context, a API, path string, form url.Values) (T, error) {
	return answer[T](a.Handle(ctx, endpoint.Request{
		Method: "POST", Path: path, Body: []byte(form.Encode()),
		Header: endpoint.Header{"content-type": "application/x-www-form-urlencoded"},
	}))
}

// postJSON sends parameters as a JSON object in a POST request and returns the decoded
// answer.
func postJSON[T any](ctx context.Context, a API, path string, object map[string]any) (T, error) {
	body, err := json.Marshal(object)
	if err != nil {
		var zero T
		return zero, err
	}
	return answer[T](a.Handle(ctx, endpoint.Request{
		Method: "POST", Path: path, Body: body, Header: endpoint.Header{"content-type": "application/json"},
	}))
}

// answer decodes a response with status 200. For every other status, it returns a
// *refusal as the error.
func answer[T any](resp endpoint.Response) (T, error) {
	var value T
	if resp.Status == 200 {
		return value, json.Unmarshal(resp.Body, &value)
	}
	return value, refused(resp)
}

func refused(resp endpoint.Response) error {
	var failure api.Failure
	if err := json.Unmarshal(resp.Body, &failure); err != nil || failure.Error == "" {
		failure.Error = fmt.Sprintf("the request failed with status %d", resp.Status)
	}
	return &refusal{resp.Status, failure.Error}
}

// file returns the file with which the API answers a GET request for the path. If the API
// does not answer with a file, the error is a *refusal.
func file(ctx context.Context, a API, path string) (*api.File, error) {
	resp := a.Handle(ctx, endpoint.Request{Method: "GET", Path: path, Header: endpoint.Header{}})
	if resp.File == nil {
		return nil, refused(resp)
	}
	return resp.File, nil
}
