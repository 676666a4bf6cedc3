package api

// VerdictFailed is the verdict of a scheduled run in which a comparison failed or was
// cancelled, or no table was compared. Such a run does not prove that the rows match.
const VerdictFailed = "failed"

// VerdictIncomplete is the verdict of a scheduled run that did not compare some tables.
// All its comparisons found equal rows.
const VerdictIncomplete = "incomplete"

// SchedulesRequest asks for the scheduled jobs.
type SchedulesRequest struct{}

// DecodeSchedules returns an error if there are parameters.
func DecodeSchedules(p Params) (SchedulesRequest, error) {
	return SchedulesRequest{}, newReader(p).finish(nil)
}

// ScheduleList has the scheduled jobs in the order of their file.
type ScheduleList struct {
	Schedules []Schedule `json:"schedules"`
}

// Schedule is one job.
type Schedule struct {
	Name        string        `json:"name"`
	ClusterName string        `json:"cluster_name"`
	TableName   string        `json:"table_name"` // the name of a table, or a pattern such as public.*
	Schedule    string        `json:"schedule"`   // the crontab_schedule or run_frequency
	Enabled     bool          `json:"enabled"`
	NextRun     Time          `json:"next_run,omitzero"`
	LastRun     *ScheduledRun `json:"last_run,omitempty"`
	MissedRuns  int           `json:"missed_runs"` // number of runs that were due while the service was not running
	LastMissed  Time          `json:"last_missed,omitzero"`
	SkippedRuns int           `json:"skipped_runs"` // number of runs that were skipped because the previous run had not ended
	LastSkipped Time          `json:"last_skipped,omitzero"`
}

// ScheduledRun is one run of a job.
type ScheduledRun struct {
	DueAt   Time            `json:"due_at"`
	TaskID  string          `json:"task_id,omitempty"` // id of the schema-diff; absent unless the job has a pattern such as public.*
	Verdict string          `json:"verdict,omitempty"` // match, differ, incomplete or failed; absent until the run ends
	Error   string          `json:"error,omitempty"`   // the reason why no table was compared
	Tasks   []ScheduledTask `json:"tasks"`             // one for each table; the tasks that a schema-diff submitted are listed only after the schema-diff has ended
	// NotCompared are the tables that were not compared, because they have no key or
	// because fail_fast left them out.
	NotCompared   []NotCompared `json:"not_compared,omitempty"`
	SkippedTables []string      `json:"skipped_tables,omitempty"` // the tables that skip_tables excludes
}

// NotCompared is a table that a run did not compare.
type NotCompared struct {
	TableName string `json:"table_name"`
	Reason    string `json:"reason"`
}

// ScheduledTask is the comparison of one table. If the table's differing rows were
// compared again by a rerun, Status, Verdict and Error are those of the rerun.
type ScheduledTask struct {
	TableName   string `json:"table_name"`
	TaskID      string `json:"task_id,omitempty"` // absent until the task is submitted
	Status      string `json:"status,omitempty"`
	Verdict     string `json:"verdict,omitempty"`
	Error       string `json:"error,omitempty"`
	RerunAt     Time   `json:"rerun_at,omitzero"`
	RerunTaskID string `json:"rerun_task_id,omitempty"`
}
