package app

import (
	"log/slog"
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
		Jobs: jobs, Store: a.options.Store, Submit: submitting, Now: time.Now, Log: log,
	})
}

// SchedulesEndpoint returns the endpoint that lists the jobs of a scheduler.
func SchedulesEndpoint(s *schedule.Scheduler) endpoint.Endpoint {
	return endpoint.JSON(api.RouteSchedules, api.DecodeSchedules, s.List)
}
