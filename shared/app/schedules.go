package app

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"ace/shared/api"
	"ace/shared/caller"
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
		Jobs: jobs, Store: a.options.Store, Submit: submitting, Now: time.Now, Log: log,
	})
}

// SchedulesEndpoint returns the endpoint that lists the jobs of a scheduler. A caller
// sees the jobs of its clusters.
func SchedulesEndpoint(s *schedule.Scheduler) endpoint.Endpoint {
	return endpoint.JSON(api.RouteSchedules, api.DecodeSchedules, func(ctx context.Context, req api.SchedulesRequest) (api.ScheduleList, error) {
		list, err := s.List(ctx, req)
		by := caller.Of(ctx)
		list.Schedules = slices.DeleteFunc(list.Schedules, func(job api.Schedule) bool { return !by.Sees(job.ClusterName) })
		return list, err
	})
}
