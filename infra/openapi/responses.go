package openapi

import (
	"reflect"
	"slices"
	"strings"

	"ace/shared/api"
)

// deliberate is the name of the header parameter X-ACE-Request in the components.
const deliberate = "Deliberate"

// failure is the name, in the components, of the answer to a request that is refused or
// fails.
type failure string

const (
	invalid      failure = "Invalid"
	unauthorized failure = "Unauthorized"
	forbidden    failure = "Forbidden"
	notFound     failure = "NotFound"
	conflict     failure = "Conflict"
	changed      failure = "Changed"
	tooLarge     failure = "TooLarge"
	noRange      failure = "NoRange"
	internal     failure = "Internal"
	unavailable  failure = "Unavailable"
)

// meaning is the status of a failure, and when it occurs.
type meaning struct {
	failure             failure
	status, description string
}

func meanings() []meaning {
	return []meaning{
		{invalid, "400", "A parameter is missing, invalid, unknown or repeated. All mistakes are reported at once."},
		{unauthorized, "401", "The token is missing or wrong."},
		{forbidden, "403", "The request comes from a foreign web page, uses a host name that is not allowed, or lacks X-ACE-Request."},
		{notFound, "404", "There is no such cluster, task or document."},
		{conflict, "409", "The state does not allow it, such as cancelling a task that has ended."},
		{changed, "412", "The document is not the version that If-Match or If-Unmodified-Since requires."},
		{tooLarge, "413", "The body is too large."},
		{noRange, "416", "The document has no such range."},
		{internal, "500", "A defect of ACE, damage of the archive, or cluster definitions that cannot be read."},
		{unavailable, "503", "The queue is full, or the store cannot be used."},
	}
}

// failuresOf returns the failures of an operation.
func failuresOf(o api.Operation) []failure {
	list := []failure{invalid, forbidden, internal, unavailable}
	if !o.Route.IsProbe() {
		list = append(list, unauthorized)
	}
	if tag := tagOf(o); o.Arg != nil || tag == tagTables || tag == tagClusters || o.Upload {
		list = append(list, notFound)
	}
	switch o.Route {
	case api.RouteTableRepair, api.RouteTableUndo, api.RouteTaskCancel, api.RouteBackup:
		list = append(list, conflict)
	case api.RouteRules:
		list = append(list, notFound)
	case api.RouteSchedules: // the Lambda functions do not have this route
		list = append(list, notFound)
	}
	if _, isFile := files()[o.Route]; isFile {
		list = append(list, changed, noRange)
	}
	return list
}

// addResponses adds references to failures, in the order of their status.
func addResponses(o *Operation, list ...failure) {
	for _, m := range meanings() {
		if slices.Contains(list, m.failure) {
			o.Responses.set(m.status, &Response{Ref: "#/components/responses/" + string(m.failure)})
		}
	}
	slices.SortStableFunc(o.Responses, func(a, b Member[*Response]) int { return strings.Compare(a.Name, b.Name) })
}

// addFileResponses adds the answers of a download other than the whole file.
func addFileResponses(o *Operation) {
	part := &Response{Description: "A range of the document, or several, as the request's Range asks."}
	for _, media := range (*o.Responses.get("200")).Content {
		part.Content.set(media.Name, &Media{Schema: &Schema{Type: "string"}})
	}
	part.Content.set("multipart/byteranges", &Media{Schema: &Schema{Type: "string"}}) // several ranges
	o.Responses.set("206", part)

	redirect := &Response{Description: "Lambda functions only: the document is at Location, for five minutes."}
	redirect.Headers.set("Location", &Header{Schema: &Schema{Type: "string", Format: "uri"}})
	o.Responses.set("302", redirect)

	o.Responses.set("304", &Response{Description: "The document is the one that If-None-Match names."})
}

// failureResponses returns the components that addResponses refers to.
func failureResponses(s *schemas) Object[*Response] {
	var list Object[*Response]
	for _, m := range meanings() {
		response := &Response{Description: m.description}
		switch m.failure {
		case unavailable:
			response.Headers.set("Retry-After", &Header{Ref: "#/components/headers/RetryAfter"})
		case unauthorized:
			response.Headers.set("WWW-Authenticate", &Header{Ref: "#/components/headers/Authenticate"})
		}
		response.Content.set("application/json", &Media{Schema: s.of(reflect.TypeFor[api.Failure]())})
		list.set(string(m.failure), response)
	}
	return list
}

func headers() Object[*Header] {
	return Object[*Header]{
		{"RetryAfter", &Header{Description: "The seconds to wait before another try.", Schema: &Schema{Type: "integer"}}},
		{"Authenticate", &Header{Description: "The scheme that is expected.", Schema: &Schema{Type: "string"}}},
	}
}

func sharedParameters() Object[*Parameter] {
	return Object[*Parameter]{{deliberate, &Parameter{
		Name: "X-ACE-Request", In: "header",
		Description: "Proves that no web page sent the request. Needed without a token from a browser, or to a host name other than localhost.",
		Schema:      &Schema{Type: "string", Const: "1"},
	}}}
}
