package openapi

import (
	"reflect"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/endpoint"
)

// The tags, which group the operations.
const (
	tagTables    = "tables"
	tagTasks     = "tasks"
	tagDocuments = "documents"
	tagClusters  = "clusters"
	tagService   = "service"
)

func tags() []Tag {
	return []Tag{
		{tagTables, "Compare and repair tables. Each request starts a task."},
		{tagTasks, "Follow, list and cancel tasks."},
		{tagDocuments, "List, download and import what tasks have stored."},
		{tagClusters, "List clusters, their nodes and their tables."},
		{tagService, "The state of the service."},
	}
}

func tagOf(o api.Operation) string {
	switch o.Route {
	case api.RouteTableDiff, api.RouteTableRerun, api.RouteTableRepair, api.RouteTableUndo, api.RouteSchemaDiff, api.RouteRepsetDiff:
		return tagTables
	case api.RouteReplicationDiff:
		return tagClusters
	case api.RouteTaskStatus, api.RouteTaskCancel, api.RouteTasks, api.RouteAudit:
		return tagTasks
	case api.RouteDiffs, api.RouteDiff, api.RouteReport, api.RouteBefore, api.RouteRules:
		return tagDocuments
	case api.RouteClusters, api.RouteClusterCheck, api.RouteTables:
		return tagClusters
	}
	return tagService
}

// describer adds the operations to a document.
type describer struct {
	document *Document
	schemas  *schemas
	types    map[api.Route]endpoint.Endpoint
}

// add adds one operation with its methods.
func (d *describer) add(o api.Operation) {
	path := d.path(string(o.Route))
	if o.Upload {
		path.Post = d.upload(o)
		return
	}

	path.Get = d.operation(o, "")
	path.Get.Parameters = slices.Concat(arguments(o), queryParams(o.Params))
	if d.types[o.Route].Receive != nil { // a POST to this route does not have the parameters of the operation, but a document as its body
		return
	}

	path.Post = d.operation(o, "Post")
	path.Post.Parameters = arguments(o)
	if len(o.Params) > 0 {
		d.document.Components.Schemas.set(camel(o.Name, true)+"Parameters", bodySchema(o))
		path.Post.Body = bodyOf(o)
		addResponses(path.Post, tooLarge)
	}
}

func (d *describer) path(route string) *Path {
	if existing := d.document.Paths.get(route); existing != nil {
		return *existing
	}
	path := &Path{}
	d.document.Paths.set(route, path)
	return path
}

// arguments returns the parameters in the path and in the header.
func arguments(o api.Operation) []*Parameter {
	var list []*Parameter
	if o.Arg != nil {
		list = append(list, &Parameter{Name: o.Arg.Name, In: "path", Required: true, Description: purpose(*o.Arg), Schema: paramSchema(*o.Arg)})
	}
	if !o.Route.IsReadOnly() || o.Upload {
		list = append(list, &Parameter{Ref: "#/components/parameters/" + deliberate})
	}
	return list
}

// operation returns an operation without parameters.
func (d *describer) operation(o api.Operation, suffix string) *Operation {
	operation := &Operation{ID: operationID(o) + suffix, Tags: []string{tagOf(o)}, Summary: sentence(o.Purpose)}
	operation.Responses.set("200", d.success(o.Route, d.types[o.Route].Answer))
	if _, isFile := files()[o.Route]; isFile {
		addFileResponses(operation)
	}
	addResponses(operation, failuresOf(o)...)
	if o.Route.IsProbe() {
		operation.Security = []Requirement{{}}
	}
	return operation
}

// upload returns the operation whose body is a document.
func (d *describer) upload(o api.Operation) *Operation {
	id, body := "importDiff", "The body is a diff document of ACE or of pgEdge ACE, with any Content-Type."
	if o.Route == api.RouteRules {
		id, body = "addRules", "The body is a rules document in YAML or JSON, with any Content-Type."
	}
	operation := &Operation{
		ID: id, Tags: []string{tagOf(o)}, Summary: sentence(o.Purpose),
		Description: body,
		Parameters:  slices.Concat(arguments(o), queryParams(o.Params)),
		Body:        &Body{},
	}
	operation.Body.Content.set("*/*", &Media{Schema: &Schema{}})
	operation.Responses.set("200", d.success(o.Route, d.types[o.Route].Received))
	addResponses(operation, append(failuresOf(o), tooLarge)...)
	return operation
}

// success returns the answer with status 200.
func (d *describer) success(route api.Route, answer reflect.Type) *Response {
	response := &Response{Description: "Success."}
	documents, isFile := files()[route]
	switch {
	case isFile:
		response.Description = "The document."
		response.Headers.set("Content-Disposition", &Header{Description: "The name of the file.", Schema: &Schema{Type: "string"}})
		response.Headers.set("ETag", &Header{Description: "The SHA-256 of a JSON document, in quotes.", Schema: &Schema{Type: "string"}})
		response.Content.set("application/json", &Media{Schema: d.schemas.anyOf(documents)})
	case route == api.RouteBackup:
		response.Description = "The backup, a tar file. It is complete only if its last entry is backup.json."
		response.Headers.set("Content-Disposition", &Header{Description: "The name of the file.", Schema: &Schema{Type: "string"}})
		response.Content.set("application/x-tar", &Media{Schema: &Schema{Type: "string"}})
	case route == api.RouteOpenAPI:
		response.Content.set("application/json", &Media{Schema: &Schema{Type: "object"}})
	default:
		response.Content.set("application/json", &Media{Schema: d.schemas.of(answer)})
	}
	if route == api.RouteReport {
		response.Content.set("application/sql", &Media{Schema: &Schema{Type: "string"}})
	}
	if route == api.RouteDiff {
		response.Content.set("text/csv", &Media{Schema: &Schema{Type: "string"}})
		response.Content.set("text/html", &Media{Schema: &Schema{Type: "string"}})
	}
	return response
}

// addMetrics adds the path of the metrics, which is not an api.Route.
func (d *describer) addMetrics() {
	operation := &Operation{
		ID: "getMetrics", Tags: []string{tagService},
		Summary: "Publishes metrics in the format of Prometheus (not in the Lambda functions, nor with ACE_METRICS=false).",
	}
	response := &Response{Description: "Success."}
	response.Content.set("text/plain", &Media{Schema: &Schema{Type: "string"}})
	operation.Responses.set("200", response)
	addResponses(operation, unauthorized, forbidden, notFound)
	d.path("/metrics").Get = operation
}

// operationID returns the name of an operation in generated clients.
func operationID(o api.Operation) string {
	switch o.Route {
	case api.RouteTasks, api.RouteDiffs, api.RouteSchedules, api.RouteClusters, api.RouteTables:
		return "list" + camel(o.Name, true)
	case api.RouteDiff, api.RouteReport:
		return "get" + strings.TrimSuffix(camel(o.Name, true), "s")
	case api.RouteBefore, api.RouteRules:
		return "get" + camel(o.Name, true)
	case api.RouteOpenAPI:
		return "getDescription"
	}
	return camel(o.Name, false)
}
