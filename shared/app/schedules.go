package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"ace/shared/api"
	"ace/shared/endpoint"
	"ace/shared/schedule"
	"ace/shared/service"
)

// Scheduler returns a scheduler of jobs. starter starts the tasks that the scheduler
// submits.
func (a *App) Scheduler(jobs []schedule.Job, starter service.Starter, log *slog.Logger) *schedule.Scheduler {
	submitting := a.service(starter)
	submitting.Scheduled = true
	return schedule.New(schedule.Options{
		Jobs: jobs, Store: a.options.Store, Submit: submitting, Catalog: catalog{a}, Now: time.Now, Log: log,
		Patience: scheduledPatience * a.options.Patience,
	})
}

// SchedulesEndpoint returns the endpoint that lists the jobs of a scheduler.
func SchedulesEndpoint(s *schedule.Scheduler) endpoint.Endpoint {
	return endpoint.JSON(api.RouteSchedules, api.DecodeSchedules, s.List)
}

// catalog finds tables on the nodes of a cluster.
type catalog struct{ app *App }

// Tables implements schedule.Catalog.
func (c catalog) Tables(ctx context.Context, req api.TableDiffRequest, schema string) ([]schedule.Table, error) {
	definition, err := c.app.options.Clusters.Load(ctx, req.ClusterName)
	if err != nil {
		return nil, err
	}

	targets, err := definition.Targets(req.DBName, req.Nodes)
	if err != nil {
		return nil, err
	}

	found := map[string]int{} // number of nodes that have the table
	keyless := map[string][]string{}
	for _, target := range targets {
		node, err := c.app.pools.Node(target)
		if err != nil {
			return nil, err
		}
		tables, err := node.Tables(ctx, schema)
		if err != nil {
			return nil, err
		}
		for _, one := range tables {
			found[one.Name]++
			if !one.HasKey {
				keyless[one.Name] = append(keyless[one.Name], fmt.Sprintf("node %q", target.Node))
			}
		}
	}

	tables := make([]schedule.Table, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		one := schedule.Table{Name: api.TableName{Schema: schema, Name: name}}
		if found[name] == len(targets) { // if a node lacks the table, the comparison reports that instead
			one.Keyless = keyless[name]
		}
		tables = append(tables, one)
	}
	return tables, nil
}
