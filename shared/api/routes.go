package api

import (
	"strings"
)

// Route is the path of one operation. At most its last segment is an argument, written {name}.
type Route string

// The routes. Each takes GET with a query string and POST with a form or JSON body; those that only read take HEAD too.
const (
	RouteTableDiff   Route = "/ace/table-diff"
	RouteTableRepair Route = "/ace/table-repair"
	RouteTableUndo   Route = "/ace/table-undo"
	RouteTableRerun  Route = "/ace/table-rerun"
	RouteTaskStatus  Route = "/ace/task-status/{task_id}"
	RouteTaskCancel  Route = "/ace/task-cancel/{task_id}"
	RouteTasks       Route = "/ace/tasks"
	RouteDiffs       Route = "/ace/diffs"
	RouteDiff        Route = "/ace/diffs/{task_id}"
	RouteReport      Route = "/ace/reports/{task_id}"
	RouteBefore      Route = "/ace/before-images/{task_id}"
	RouteSchedules   Route = "/ace/schedules"
	RouteHealth      Route = "/healthz"
)

// Routes is the list of all routes, in the order of the reference.
func Routes() []Route {
	return []Route{
		RouteTableDiff, RouteTableRepair, RouteTableUndo, RouteTableRerun,
		RouteTaskStatus, RouteTaskCancel, RouteTasks, RouteDiffs, RouteDiff, RouteReport, RouteBefore, RouteSchedules, RouteHealth,
	}
}

// Reads says whether a request only looks. HEAD, which tools send to find out whether a link works, must start nothing,
// so a route that is not listed here does not take it.
func (r Route) Reads() bool {
	switch r {
	case RouteTaskStatus, RouteTasks, RouteDiffs, RouteDiff, RouteReport, RouteBefore, RouteSchedules, RouteHealth:
		return true
	}
	return false
}

// Match says whether a path (percent-decoded) belongs to the route, and gives its argument, "" if the route has none.
func (r Route) Match(path string) (arg string, ok bool) {
	base, takesArg := r.base()
	if !takesArg {
		return "", path == base
	}
	arg, ok = strings.CutPrefix(path, base)
	return arg, ok && arg != "" && !strings.Contains(arg, "/")
}

// Path is the route's path with this argument filled in. A route without argument ignores it.
func (r Route) Path(arg string) string {
	base, takesArg := r.base()
	if !takesArg {
		return base
	}
	return base + arg
}

// base is the path up to the argument, and whether there is one.
func (r Route) base() (string, bool) {
	base, _, takesArg := strings.Cut(string(r), "{")
	return base, takesArg
}

// NearestRoute is the route whose path resembles this one, for a hint in an error; "" if none does.
func NearestRoute(path string) Route {
	names := make([]string, 0, len(Routes()))
	for _, route := range Routes() {
		names = append(names, string(route))
	}
	return Route(nearest(path, names))
}
