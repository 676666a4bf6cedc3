package endpoint

import (
	"context"
	"io"
	"reflect"

	"ace/shared/api"
)

// Endpoint is a route and the functions that answer it.
type Endpoint struct {
	Route api.Route
	// Serve returns a value to encode as JSON, an *api.File, or an *api.Stream.
	Serve func(ctx context.Context, params api.Params) (any, error)
	// Receive, if set, answers a POST instead of Serve. body is a stream of at most
	// MaxBody bytes: reading more returns a fault with code TooLarge. params are the
	// parameters of the query string.
	Receive func(ctx context.Context, params api.Params, body io.Reader) (any, error)
	MaxBody int64
	// Answer and Received are the types of the values that Serve and Receive return. The
	// description of the API is generated from them.
	Answer, Received reflect.Type
}

// JSON returns an endpoint that decodes and validates the parameters with decode and
// encodes the answer of useCase as JSON.
func JSON[Req, Resp any](
	route api.Route,
	decode func(api.Params) (Req, error),
	useCase func(context.Context, Req) (Resp, error),
) Endpoint {
	serve := func(ctx context.Context, params api.Params) (any, error) {
		req, err := decode(params)
		if err != nil {
			return nil, err
		}
		return useCase(ctx, req)
	}
	return Endpoint{Route: route, Serve: serve, Answer: reflect.TypeFor[Resp]()}
}

// Receiving returns e with a function for POST: decode decodes the parameters of the
// query string, and useCase reads the body, which has at most maxBody bytes.
func Receiving[Req, Resp any](
	e Endpoint,
	maxBody int64,
	decode func(api.Params) (Req, error),
	useCase func(context.Context, Req, io.Reader) (Resp, error),
) Endpoint {
	e.MaxBody = maxBody
	e.Received = reflect.TypeFor[Resp]()
	e.Receive = func(ctx context.Context, params api.Params, body io.Reader) (any, error) {
		req, err := decode(params)
		if err != nil {
			return nil, err
		}
		return useCase(ctx, req, body)
	}
	return e
}

// Download is like JSON for a use case that returns a file.
func Download[Req any](
	route api.Route,
	decode func(api.Params) (Req, error),
	useCase func(context.Context, Req) (*api.File, error),
) Endpoint {
	return JSON(route, decode, useCase)
}
