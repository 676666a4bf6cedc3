package lambdax

import (
	"context"
	"encoding/base64"
	"maps"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/endpoint"
	"ace/shared/fault"
)

// Event is an event from API Gateway or a function URL.
type Event = events.APIGatewayV2HTTPRequest

// Answer is the response to an Event.
type Answer = events.APIGatewayV2HTTPResponse

// Handler returns the function to pass to lambda.Start. The error of this function is
// always nil, because a failed request has a response too.
func Handler(mux *endpoint.Mux) func(context.Context, Event) (Answer, error) {
	return func(ctx context.Context, event Event) (Answer, error) {
		ctx = caller.NewContext(ctx, identity(event))
		req, err := request(event)
		if err != nil {
			return answer(req, mux.Fail(ctx, req, err)), nil
		}
		resp := mux.Handle(ctx, req)
		if resp.File != nil {
			resp = redirect(ctx, mux, req, resp)
		}
		return answer(req, resp), nil
	}
}

// Logged returns a handler that logs each event that handle has answered.
func Logged(handle func(context.Context, Event) (Answer, error), log *endpoint.RequestLog) func(context.Context, Event) (Answer, error) {
	return func(ctx context.Context, event Event) (Answer, error) {
		ctx, trace := log.Begin(ctx)
		trace.Identity = identity(event)
		answer, err := handle(ctx, event)
		log.End(ctx, trace, event.RequestContext.HTTP.Method, answer.StatusCode)
		return answer, err
	}
}

// jwtPrefix precedes the subject of a JSON web token in the name of a caller. The issuer
// chooses the subject, which must not look like another caller, such as schedule or an
// ARN.
const jwtPrefix = "jwt:"

// identity returns the caller of an event. The caller has all rights, because AWS has
// authenticated it and checks the IAM policies of each route. The name of the caller is
// its ARN. Without IAM, it is the subject of the caller's JSON web token with jwtPrefix,
// or caller.AWS. In the events of API Gateway and function URLs, AWS sets these fields. A
// direct invocation of the function (lambda:InvokeFunction) can set any.
func identity(event Event) caller.Identity {
	name := caller.AWS
	if a := event.RequestContext.Authorizer; a != nil {
		switch {
		case a.IAM != nil && a.IAM.UserARN != "":
			name = a.IAM.UserARN
		case a.JWT != nil && a.JWT.Claims["sub"] != "":
			name = jwtPrefix + a.JWT.Claims["sub"]
		}
	}
	by := api.RequestedBy{From: event.RequestContext.HTTP.SourceIP, Via: "lambda", UserAgent: event.RequestContext.HTTP.UserAgent}
	return caller.NewIdentity(caller.Unrestricted(name), by)
}

// request converts an event. If the body is invalid, it returns the other fields with the
// error, because the response needs the path.
func request(event Event) (endpoint.Request, error) {
	req := endpoint.Request{
		Method:   event.RequestContext.HTTP.Method,
		Path:     path(event),
		RawQuery: event.RawQueryString,
		Header:   make(endpoint.Header, len(event.Headers)),
		Body:     []byte(event.Body),
	}

	for name, value := range event.Headers {
		req.Header[strings.ToLower(name)] = value
	}

	if event.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(event.Body)
		if err != nil {
			return req, fault.Wrap(err, fault.Invalid, "the request body is not valid base64")
		}
		req.Body = body
	}
	return req, nil
}

// path returns the percent-decoded path of the event without the name of the API's stage.
func path(event Event) string {
	raw := event.RawPath
	if stage := event.RequestContext.Stage; stage != "" && stage != "$default" {
		if rest, ok := strings.CutPrefix(raw, "/"+stage); ok && strings.HasPrefix(rest, "/") {
			raw = rest
		}
	}
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return raw
	}
	return decoded
}

func redirect(ctx context.Context, mux *endpoint.Mux, req endpoint.Request, resp endpoint.Response) endpoint.Response {
	location, err := resp.File.Presign(ctx)
	if err != nil {
		return mux.Fail(ctx, req, err)
	}
	header := maps.Clone(resp.Header)
	delete(header, "Content-Type") // the response has no body
	header["Location"] = location
	return endpoint.Response{Status: 302, Header: header}
}

func answer(req endpoint.Request, resp endpoint.Response) Answer {
	body := string(resp.Body)
	if req.Method == "HEAD" {
		body = ""
	}
	return Answer{StatusCode: resp.Status, Headers: resp.Header, Body: body}
}
