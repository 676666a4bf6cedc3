package schedule

import (
	"net/url"
	"strings"
	"time"

	"ace/shared/api"
)

// Job is one job of the schedules file.
type Job struct {
	Name       string
	Request    api.TableDiffRequest // if Schema is set, its table is a placeholder
	Schema     string               // set for a pattern such as public.*, which stands for all tables of the schema
	Spec       string               // the text of crontab_schedule or run_frequency
	RerunAfter time.Duration        // 0 means that differences are not compared again
	Jitter     time.Duration
	// FullEvery bounds the age of the last full comparison: when it is this old, the next
	// run is full; until then runs are incremental. 0 means that every run is full.
	FullEvery time.Duration
	Enabled   bool

	timing timing
}

// Table returns the table_name of the job, which may be a pattern.
func (j Job) Table() string {
	if j.Schema != "" {
		return strings.TrimSuffix(j.Request.Table.String(), "."+anyTable) + ".*"
	}
	return j.Request.Table.String()
}

// anyTable is the table in the Request of a job that has a pattern instead of one table.
const anyTable = "any_table"

// next returns the first time after the given one at which the job is due, or the zero
// time if there is none.
func (j Job) next(after time.Time) time.Time {
	// A due time before after counts too if the jitter delays it to a time later than
	// after.
	for due := j.timing.Next(after.Add(-j.Jitter)); !due.IsZero(); due = j.timing.Next(due) {
		if at := delay(j.Name, due, j.Jitter); at.After(after) {
			return at
		}
	}
	return time.Time{}
}

// request decodes a job's cluster, table and arguments like those of an HTTP request.
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
