// Package schedule owns comparisons that run by themselves: which jobs there are (file.go), when each is due (timing.go), what
// became of its last run (state.go), and the loop that submits them (scheduler.go).
//
// It promises: a run is remembered in the archive before its first task is submitted, so that a process that dies half-way
// is taken up where it was; a job never overlaps itself; a run that fell into a time when nobody was there is counted
// and never made up for; memory is that of the jobs, however many tasks they start, since tasks wait in the queue or, when
// that is full, are not submitted yet. If the process dies between the submission of a task and its note, that one
// comparison runs twice, which changes nothing on the nodes.
//
// Two processes with the same jobs on one archive hold each other up; that one alone has them is up to whoever starts them.
// The package never runs a task, and it submits nothing that a user could not: the arguments of a job pass the same decoder as a
// request. Times are in UTC unless a crontab_schedule begins with CRON_TZ=<zone>.
package schedule
