package endpoint

import (
	"context"

	"ace/shared/api"
)

// Endpoint binds a route to what answers it.
type Endpoint struct {
	Route api.Route
	// Serve gives a value to encode as JSON, or a *File.
	Serve func(ctx context.Context, params api.Params) (any, error)
}

// JSON makes an endpoint of a function that decodes and validates the parameters, and of a use case whose answer is
// encoded as JSON.
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
	return Endpoint{Route: route, Serve: serve}
}

// Download is like JSON for a use case that answers with a file.
func Download[Req any](
	route api.Route,
	decode func(api.Params) (Req, error),
	useCase func(context.Context, Req) (*File, error),
) Endpoint {
	return JSON(route, decode, useCase)
}
