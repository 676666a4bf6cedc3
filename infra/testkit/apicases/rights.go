package apicases

import "ace/shared/api"

// RightsCase lists rights for a route, each of which suffices until the service checks
// the task or the cluster of the request.
type RightsCase struct {
	Route   api.Route
	Methods []string
	Rights  []api.Right
	Open    bool // no right is needed
}

// Rights returns the rights that each route needs, written down independently of the
// program. docs/CALLERS.md has the same table.
func Rights() []RightsCase {
	both, get, post := []string{"GET", "POST"}, []string{"GET"}, []string{"POST"}
	read, compare, repair := []api.Right{"read"}, []api.Right{"compare"}, []api.Right{"repair"}
	all := []api.Right{"read", "compare", "repair"}
	return []RightsCase{
		{api.RouteTableDiff, both, compare, false},
		{api.RouteTableRerun, both, compare, false},
		{api.RouteSchemaDiff, both, compare, false},
		{api.RouteRepsetDiff, both, compare, false},
		{api.RouteReplicationDiff, both, compare, false},
		{api.RouteTableRepair, both, repair, false},
		{api.RouteTableUndo, both, repair, false},
		{api.RouteTaskStatus, both, all, false},
		{api.RouteTaskCancel, both, all, false},
		{api.RouteTasks, both, read, false},
		{api.RouteDiffs, get, read, false},
		{api.RouteDiffs, post, compare, false},
		{api.RouteDiff, both, read, false},
		{api.RouteReport, both, read, false},
		{api.RouteBefore, both, repair, false},
		{api.RouteRules, get, read, false},
		{api.RouteRules, post, repair, false},
		{api.RouteSchedules, both, read, false},
		{api.RouteAudit, both, read, false},
		{api.RouteBackup, both, repair, false},
		{api.RouteClusters, both, read, false},
		{api.RouteClusterCheck, both, read, false},
		{api.RouteTables, both, read, false},
		{api.RouteOpenAPI, both, nil, true},
		{api.RouteHealth, both, nil, true},
		{api.RouteReady, both, nil, true},
	}
}
