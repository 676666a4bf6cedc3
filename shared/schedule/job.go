package schedule

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"ace/shared/api"
)

// Job is one job of the schedules file.
type Job struct {
	Name       string
	Request    api.TableDiffRequest  // if the job has a pattern, the name of its table is anyTable
	Set        api.SchemaDiffRequest // the request of the schema-diff, if the job has a pattern
	Spec       string                // the text of crontab_schedule or run_frequency
	RerunAfter time.Duration         // 0 means that differences are not compared again
	Jitter     time.Duration
	// FullEvery bounds the age of the last full run: when that run is this old, the next
	// run is full. Until then runs are incremental. 0 means that every run is full.
	FullEvery time.Duration
	Enabled   bool

	timing timing
}

// Table returns the table_name of the job, which may be a pattern.
func (j Job) Table() string {
	if j.HasPattern() {
		return j.Set.Name()
	}
	return j.Request.Table.String()
}

// Selects reports whether a run of the job compares the table, if the table exists.
func (j Job) Selects(table api.TableName) bool {
	if !j.HasPattern() {
		return j.Request.Table == table
	}
	isListed := j.Set.Tables == nil || j.Set.Tables.Match(table)
	return (j.Set.Schemas.All() || slices.Contains(j.Set.Schemas, table.Schema)) && isListed && !j.Set.SkipTables.Match(table)
}

// Next returns the next time after now at which a run starts, or the zero time if there
// is none.
func (j Job) Next(now time.Time) time.Time { return j.next(now) }

// anyTable stands in for the table name in Job.Request if the job's table_name is a
// pattern (schema.*).
const anyTable = "any_table"

// HasPattern reports whether the table_name of the job is a pattern such as public.*, so
// that its runs submit a schema-diff.
func (j Job) HasPattern() bool { return len(j.Set.Schemas) > 0 }

// next returns the first time later than after at which a run of the job should start: a
// due time plus its delay by Jitter. It returns the zero time if there is none.
func (j Job) next(after time.Time) time.Time {
	// The search begins Jitter before after. A due time before after may be delayed by
	// up to Jitter, so that its run starts later than after.
	for due := j.timing.Next(after.Add(-j.Jitter)); !due.IsZero(); due = j.timing.Next(due) {
		if at := delay(j.Name, due, j.Jitter); at.After(after) {
			return at
		}
	}
	return time.Time{}
}

// decode sets Request from the fields and arguments of a job. For a pattern such as
// public.*, it also sets Set.
func (j *Job) decode(cluster, table string, args map[string]string) (err error) {
	schema, pattern := strings.CutSuffix(table, ".*")
	if !pattern {
		j.Request, err = request(cluster, table, args)
		return err
	}

	if j.Set, err = setRequest(cluster, schema, args); err != nil {
		j.Set.Schemas = api.Schemas{schema} // the other fields are checked as those of a pattern
	}
	j.Request = j.Set.TableDiff(api.TableName{Schema: j.Set.Schemas[0], Name: anyTable})
	return err
}

// setRequest decodes the fields and arguments of a job with a pattern as the parameters
// of a schema-diff. The default of compare is data here, so that only rows are
// compared.
func setRequest(cluster, schema string, args map[string]string) (api.SchemaDiffRequest, error) {
	all := map[string]string{"compare": api.CompareData}
	maps.Copy(all, args)
	params, err := parameters(all, map[string]string{"cluster_name": cluster, "schema_name": schema})
	if err != nil {
		return api.SchemaDiffRequest{}, err
	}
	return api.DecodeSchemaDiff(params)
}

// request decodes the fields and arguments of a job with one table as the parameters of a
// table-diff.
func request(cluster, table string, args map[string]string) (api.TableDiffRequest, error) {
	params, err := parameters(args, map[string]string{"cluster_name": cluster, "table_name": table})
	if err != nil {
		return api.TableDiffRequest{}, err
	}
	return api.DecodeTableDiff(params)
}

// parameters returns the arguments and the fields of a job as parameters. It leaves out
// empty fields. If args and fields have the same name, the parameter has two values,
// which the Decode functions reject.
func parameters(args, fields map[string]string) (api.Params, error) {
	values := url.Values{}
	for name, value := range args {
		values.Set(name, value)
	}
	for name, value := range fields {
		if value != "" {
			values.Add(name, value)
		}
	}
	return api.ParseParams(values.Encode(), "", nil)
}
