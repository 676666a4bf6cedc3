// Package schedule submits scheduled comparisons. file.go parses the jobs, timing.go
// computes when a job is due, state.go stores the state of a job's last run, and
// scheduler.go has the loop that submits the tasks.
//
// A run is stored in the archive before its first task is submitted, so a new process
// continues the run of one that died. Runs of a job never overlap. A run that was due
// while no process was running is counted as missed and not started later. Tasks wait in
// the queue, or are submitted later if the queue is full, so the memory of the scheduler
// depends only on the number of jobs. If the process dies after it submits a task and
// before it stores the task's id, that comparison runs twice, which is harmless.
//
// Only one process may run the jobs of an archive, because two processes delay each
// other. The operator must ensure this. The package does not run tasks. It decodes the
// arguments of a job like those of a request, so a job can do only what a request can do.
// Times are in UTC unless a crontab_schedule begins with CRON_TZ=<zone>.
package schedule
