package app

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/endpoint"
	"ace/shared/schedule"
	"ace/shared/service"
)

// Scheduler returns a scheduler of jobs. starter starts the tasks that the scheduler
// submits.
func (a *App) Scheduler(jobs []schedule.Job, starter service.Starter, log *slog.Logger) *schedule.Scheduler {
	return schedule.New(schedule.Options{
		Jobs: jobs, Store: a.options.Store, Submit: a.service(starter), Catalog: catalog{a}, Now: time.Now, Log: log,
	})
}

// SchedulesEndpoint returns the endpoint that lists the jobs of a scheduler.
func SchedulesEndpoint(s *schedule.Scheduler) endpoint.Endpoint {
	return endpoint.JSON(api.RouteSchedules, api.DecodeSchedules, s.List)
}

// catalog finds tables on the nodes of a cluster.
type catalog struct{ app *App }

// Tables implements schedule.Catalog.
func (c catalog) Tables(ctx context.Context, req api.TableDiffRequest, schema string) ([]api.TableName, error) {
	definition, err := c.app.options.Clusters.Load(ctx, req.ClusterName)
	if err != nil {
		return nil, err
	}

	targets, err := definition.Targets(req.DBName, req.Nodes)
	if err != nil {
		return nil, err
	}

	var tables []api.TableName
	for _, target := range targets {
		node, err := c.app.pools.Node(target)
		if err != nil {
			return nil, err
		}
		names, err := node.Tables(ctx, schema)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			tables = append(tables, api.TableName{Schema: schema, Name: name})
		}
	}

	slices.SortFunc(tables, func(a, b api.TableName) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(tables), nil
}
