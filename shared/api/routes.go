package api

import (
	"strings"
)

// Route is the path of one operation. Its last segment may be an argument, written
// {name}.
type Route string

// The routes. Each accepts GET with a query string and POST with a form or JSON body.
// Read-only routes accept HEAD too.
const (
	RouteTableDiff   Route = "/ace/table-diff"
	RouteTableRepair Route = "/ace/table-repair"
	RouteTableUndo   Route = "/ace/table-undo"
	RouteTableRerun  Route = "/ace/table-rerun"
	RouteSchemaDiff  Route = "/ace/schema-diff"
	RouteRepsetDiff  Route = "/ace/repset-diff"
	// RouteReplicationDiff compares how nodes replicate, not rows.
	RouteReplicationDiff Route = "/ace/replication-diff"
	RouteTaskStatus      Route = "/ace/task-status/{task_id}"
	RouteTaskCancel      Route = "/ace/task-cancel/{task_id}"
	RouteTasks           Route = "/ace/tasks"
	RouteDiffs           Route = "/ace/diffs"
	RouteDiff            Route = "/ace/diffs/{task_id}"
	RouteReport          Route = "/ace/reports/{task_id}"
	RouteBefore          Route = "/ace/before-images/{task_id}"
	RouteRules           Route = "/ace/rules"
	RouteSchedules       Route = "/ace/schedules"
	RouteAudit           Route = "/ace/audit"
	// RouteBackup is not read-only, although it changes nothing: HEAD would make a whole
	// backup, and no page of another site may start one.
	RouteBackup   Route = "/ace/backup"
	RouteClusters Route = "/ace/clusters"
	// RouteClusterCheck is a route of its own, and not a parameter of RouteClusters,
	// because a check connects to nodes: it may take seconds, needs passwords and returns
	// other data.
	RouteClusterCheck Route = "/ace/cluster-check"
	RouteTables       Route = "/ace/tables"
	RouteOpenAPI      Route = "/ace/openapi.json"
	RouteHealth       Route = "/healthz"
	RouteReady        Route = "/readyz"
)

// Routes returns all routes in the order of the API reference (docs/API.md).
func Routes() []Route {
	return []Route{
		RouteTableDiff, RouteTableRepair, RouteTableUndo, RouteTableRerun, RouteSchemaDiff, RouteRepsetDiff, RouteReplicationDiff,
		RouteTaskStatus, RouteTaskCancel, RouteTasks, RouteDiffs, RouteDiff, RouteReport, RouteBefore, RouteRules, RouteSchedules, RouteAudit, RouteBackup,
		RouteClusters, RouteClusterCheck, RouteTables, RouteOpenAPI, RouteHealth, RouteReady,
	}
}

// IsReadOnly reports whether the route is read-only. Only read-only routes accept HEAD:
// tools send HEAD to check a link, and such a request must not start a task.
func (r Route) IsReadOnly() bool {
	switch r {
	case RouteTaskStatus, RouteTasks, RouteDiffs, RouteDiff, RouteReport, RouteBefore, RouteRules, RouteSchedules, RouteAudit,
		RouteClusters, RouteClusterCheck, RouteTables, RouteOpenAPI, RouteHealth, RouteReady:
		return true
	}
	return false
}

// Name returns the name of the route's operation: the path without /ace/ and without the
// argument, such as table-diff.
func (r Route) Name() string {
	base, _ := r.base()
	return strings.Trim(strings.TrimPrefix(base, "/ace"), "/")
}

// IsProbe reports whether the route is for a monitor or a load balancer, which needs no
// token.
func (r Route) IsProbe() bool { return r == RouteHealth || r == RouteReady }

// Match reports whether a percent-decoded path belongs to the route, and returns the
// argument, or "" if the route has none. The path may end in a slash.
func (r Route) Match(path string) (arg string, ok bool) {
	path = strings.TrimSuffix(path, "/")
	base, takesArg := r.base()
	if !takesArg {
		return "", path == base
	}
	arg, ok = strings.CutPrefix(path, base)
	return arg, ok && arg != "" && !strings.Contains(arg, "/")
}

// Path returns the route's path with arg as the argument. A route without an argument
// ignores arg.
func (r Route) Path(arg string) string {
	base, takesArg := r.base()
	if !takesArg {
		return base
	}
	return base + arg
}

// base returns the path up to the argument, and reports whether the route has an
// argument.
func (r Route) base() (string, bool) {
	base, _, takesArg := strings.Cut(string(r), "{")
	return base, takesArg
}

// NearestRoute returns the route most similar to a path, for a hint in an error, or "" if
// none is similar.
func NearestRoute(path string) Route {
	names := make([]string, 0, len(Routes()))
	for _, route := range Routes() {
		names = append(names, string(route))
	}
	return Route(Nearest(path, names))
}
