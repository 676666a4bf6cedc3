package schedule

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"ace/shared/api"
)

// Job is one job of the schedules file.
type Job struct {
	Name       string
	Request    api.TableDiffRequest // if Schema is set, the name of its table is anyTable
	Schema     string               // set for a pattern such as public.*, which stands for all tables of the schema
	Spec       string               // the text of crontab_schedule or run_frequency
	Skip       []string             // skip_tables: patterns of the tables of Schema that are not compared
	RerunAfter time.Duration        // 0 means that differences are not compared again
	Jitter     time.Duration
	// FullEvery bounds the age of the last full run: when that run is this old, the next
	// run is full. Until then runs are incremental. 0 means that every run is full.
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

// Selects reports whether a run of the job compares the table, if the table exists.
func (j Job) Selects(table api.TableName) bool {
	if j.Schema == "" {
		return j.Request.Table == table
	}
	return j.Schema == table.Schema && !j.skips(table)
}

// Next returns the next time after now at which a run starts, or the zero time if there
// is none.
func (j Job) Next(now time.Time) time.Time { return j.next(now) }

// anyTable stands in for the table name in Job.Request if the job's table_name is a
// pattern (schema.*).
const anyTable = "any_table"

// skips reports whether a pattern of skip_tables matches the table. A pattern may begin
// with the schema. It is compared with the name as the catalog has it, without quotes.
func (j Job) skips(table api.TableName) bool {
	return slices.ContainsFunc(j.Skip, func(pattern string) bool {
		return matches(pattern, table.Name) || matches(pattern, table.Schema+"."+table.Name)
	})
}

// matches reports whether a text matches a pattern, in which * stands for any characters
// and ? for one character.
func matches(pattern, text string) bool {
	expr := regexp.QuoteMeta(pattern)
	expr = strings.ReplaceAll(strings.ReplaceAll(expr, `\*`, ".*"), `\?`, ".")
	return regexp.MustCompile("(?s)^" + expr + "$").MatchString(text)
}

// next returns the first time later than after at which a run of the job should start: a
// due time plus its delay by Jitter. It returns the zero time if there is none.
func (j Job) next(after time.Time) time.Time {
	// The search begins Jitter before after. A due time before after may be delayed by up to
	// Jitter, so that its run starts later than after.
	for due := j.timing.Next(after.Add(-j.Jitter)); !due.IsZero(); due = j.timing.Next(due) {
		if at := delay(j.Name, due, j.Jitter); at.After(after) {
			return at
		}
	}
	return time.Time{}
}

// request decodes a job's cluster, table and arguments like the parameters of an HTTP
// request. If table is a pattern such as public.*, it returns the pattern's schema,
// otherwise "".
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
