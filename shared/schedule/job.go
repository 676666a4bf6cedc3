package schedule

import (
	"net/url"
	"strings"
	"time"

	"ace/shared/api"
)

// Job is one entry of the file.
type Job struct {
	Name       string
	Request    api.TableDiffRequest // of a pattern: with a table that stands for those it finds
	Schema     string               // of a pattern such as public.*: every table of this schema; else ""
	Spec       string               // as written: the crontab_schedule, or the run_frequency
	RerunAfter time.Duration        // 0: never
	Jitter     time.Duration
	// FullEvery: a run compares only what may have changed since the comparison before, unless the last full one is this old.
	// 0: every run is full.
	FullEvery time.Duration
	Enabled   bool

	timing timing
}

// Table is what the file calls table_name.
func (j Job) Table() string {
	if j.Schema != "" {
		return strings.TrimSuffix(j.Request.Table.String(), "."+anyTable) + ".*"
	}
	return j.Request.Table.String()
}

// anyTable stands in the request of a job whose tables are not known yet.
const anyTable = "any_table"

// next is when the job is due after a time, zero if never.
func (j Job) next(after time.Time) time.Time {
	// Jitter must not hide a due time that lies before after and is delayed beyond it.
	for due := j.timing.Next(after.Add(-j.Jitter)); !due.IsZero(); due = j.timing.Next(due) {
		if at := delayed(j.Name, due, j.Jitter); at.After(after) {
			return at
		}
	}
	return time.Time{}
}

// request decodes a job's cluster, table and arguments as an HTTP request's.
func request(cluster, table string, args map[string]string) (req api.TableDiffRequest, schema string, err error) {
	if before, ok := strings.CutSuffix(table, ".*"); ok {
		table, schema = before+"."+anyTable, before
	}
	values := url.Values{}
	for name, value := range args {
		values.Set(name, value)
	}
	for name, value := range map[string]string{"cluster_name": cluster, "table_name": table} {
		if value != "" {
			values.Add(name, value)
		}
	}
	params, err := api.ParseParams(values.Encode(), "", nil)
	if err != nil {
		return api.TableDiffRequest{}, "", err
	}
	req, err = api.DecodeTableDiff(params)
	if schema != "" {
		schema = req.Table.Schema
	}
	return req, schema, err
}
