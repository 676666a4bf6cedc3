package schedule

import (
	"strings"
	"testing"
	"time"

	"ace/shared/api"
	"ace/shared/fault"
)

const valid = `
jobs:
  - name: users-hourly
    cluster_name: demo
    table_name: public.users
    args: {nodes: [n1, n2], max_cpu_ratio: 0.5, quiet: true}
    run_frequency: 1h
    rerun_after: 10m
    incremental: true
  - name: everything
    cluster_name: demo
    table_name: '"My Schema".*'
    crontab_schedule: CRON_TZ=Europe/Berlin 30 2 * * *
    jitter: 5m
    incremental: true
    full_every: 3d
    skip_tables: [audit_*, 'My Schema.tmp?']
    enabled: false
`

func TestParse_ReadsJobsWithTheDefaultsOfARequest(t *testing.T) {
	jobs, err := Parse("ace.yaml", []byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 2 {
		t.Fatalf("%d jobs", len(jobs))
	}
	users, everything := jobs[0], jobs[1]
	if users.Name != "users-hourly" || users.Table() != "public.users" || strings.Join(users.Request.Nodes, " ") != "n1 n2" ||
		users.Request.MaxCPURatio != 0.5 || !users.Request.Quiet || users.Request.BlockRows != 10000 ||
		users.Spec != "1h" || users.FullEvery != 7*24*time.Hour || users.RerunAfter != 10*time.Minute || !users.Enabled {
		t.Errorf("read %+v", users)
	}
	if strings.Join(everything.Set.Schemas, " ") != "My Schema" || everything.Table() != `"My Schema".*` || everything.Jitter != 5*time.Minute || everything.FullEvery != 3*24*time.Hour || everything.Enabled ||
		strings.Join(everything.Set.SkipTables, ", ") != "audit_*, My Schema.tmp?" {
		t.Errorf("read %+v", everything)
	}
}

func TestParse_ReportsPositionValueAndAllowedValues(t *testing.T) {
	job := func(fields string) string { return "jobs:\n  - {name: a, " + fields + "}" }
	good := "cluster_name: demo, table_name: public.users, run_frequency: 1h"
	tests := []struct{ name, file, want string }{
		{"nothing", "", "ace.yaml: the file is empty; write jobs: [...]"},
		{"not YAML", "jobs: [", "ace.yaml: not valid YAML:"},
		{"no jobs", "{}", "ace.yaml: jobs is missing; write jobs: [...]"},
		{"something else", "job: []", `ace.yaml, line 1: unknown field "job"; the fields are jobs`},
		{"jobs is no list", "jobs: 5", "ace.yaml, line 1: jobs must be a list of jobs"},
		{"a job is no mapping", "jobs: [5]", "ace.yaml, line 1, job 1: this must be a mapping with the fields " + allowedFields},
		{"no name", "jobs: [{" + good + "}]", "ace.yaml, line 1, job 1: name is missing; it must be " + allowedName},
		{"a bad name", "jobs: [{name: ../x, " + good + "}]", `ace.yaml, line 1, job 1: name is "../x"; it must be ` + allowedName},
		{"a name twice", job(good) + "\n  - {name: a, " + good + "}", `ace.yaml, line 3, job 2: name is "a"; it must be ` + allowedName},
		{"a typo", job(good + ", enable: false"), `ace.yaml, line 2, job 1: unknown field "enable"; the fields are ` + allowedFields},
		{"a field twice", job(good + ", enabled: true, enabled: false"), `line 2, job 1: "enabled" is given twice; give it once`},
		{"no cluster", job("table_name: public.users, run_frequency: 1h"), "ace.yaml, line 2, job a: cluster_name is required"},
		{"a bad table", job("cluster_name: demo, table_name: users, run_frequency: 1h"), `job a: table_name is "users"; it must be schema.table, such as public.users`},
		{"a bad argument", job(good + ", args: {block_rows: 0}"), `ace.yaml, line 2, job a: block_rows is "0"; it must be a whole number`},
		{"an unknown argument", job(good + ", args: {block_row: 5}"), `job a: unknown parameter "block_row" (did you mean block_rows?)`},
		{"a table among the arguments", job(good + ", args: {table_name: public.x}"), "job a: args has table_name; move it out of args"},
		{"an argument without value", job(good + ", args: {nodes: }"), "job a: args.nodes has no value; give it one value"},
		{"neither time", job("cluster_name: demo, table_name: public.users"), "job a: set exactly one of crontab_schedule and run_frequency"},
		{"both times", job(good + ", crontab_schedule: '@daily'"), "job a: set exactly one of crontab_schedule and run_frequency"},
		{"a bad frequency", job("cluster_name: demo, table_name: public.users, run_frequency: 5s"), `job a: run_frequency is "5s": it is not a whole number with a unit; it must be ` + allowedEvery},
		{"a bad crontab", job("cluster_name: demo, table_name: public.users, crontab_schedule: '61 * * * *'"), `job a: crontab_schedule is "61 * * * *": the minute "61" is not valid: end of range (61) above maximum (59); it must be ` + allowedCrontab},
		{"a bad wait", job(good + ", rerun_after: soon"), `job a: rerun_after is "soon"; it must be ` + allowedWait},
		{"a bad switch", job(good + ", enabled: 1"), `job a: enabled is "1"; it must be true or false`},
		{"another bad switch", job(good + ", incremental: maybe"), `job a: incremental is "maybe"; it must be true or false`},
		{"a bad interval", job(good + ", incremental: true, full_every: weekly"), `line 2, job a: full_every is "weekly": it is not a whole number with a unit; it must be ` + allowedEvery},
		{"an interval for nothing", job(good + ", full_every: 1w"), "line 2, job a: full_every needs incremental: true"},
		{"two baselines", job(good + ", incremental: true, args: {baseline: last}"), "line 2, job a: incremental and args.baseline are both given; set only one of them"},
		{"nothing to skip from", job(good + ", skip_tables: [a]"), "line 2, job a: skip_tables needs a pattern such as public.* in table_name"},
		{"an empty pattern", job(strings.Replace(good, "users", "*", 1) + ", skip_tables: ['']"), "line 2, job a: skip_tables has no value; give it one value"},
		{"a long pattern", job(strings.Replace(good, "users", "*", 1) + ", skip_tables: " + strings.Repeat("x", 131)), "line 2, job a: skip_tables has a pattern of 131 bytes; the maximum is 130"},
		{"an alias", "x: &x 1\njobs: []", `unknown field "x"; the fields are jobs`},
		{"two documents", valid + "---\njobs: []", "the file has more than one YAML document"},
		{"a huge file", strings.Repeat("#", MaxFile+1), "ace.yaml: the file has 1048577 bytes; the maximum is 1048576"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("ace.yaml", []byte(tt.file))
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestParse_ReportsEverythingAtOnce(t *testing.T) {
	_, err := Parse("ace.yaml", []byte("jobs: [{name: a, cluster_name: '?', run_frequency: x, enabled: no}, {name: a}]"))
	if lines := strings.Count(fault.PublicMessage(err), "\n") + 1; lines != 6 {
		t.Errorf("%d lines: %v", lines, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(valid))
	f.Add([]byte("jobs: [{name: a, cluster_name: c, table_name: public.*, crontab_schedule: 'TZ=0'}]"))
	f.Add([]byte("a: &a [*a]\njobs: *a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		jobs, err := Parse("f", data)
		if err != nil {
			if fault.CodeOf(err) != fault.Invalid {
				t.Errorf("the error is %v", err)
			}
			return
		}
		for _, job := range jobs {
			if job.timing == nil || job.Request.Validate() != nil || !api.IsName(job.Name) {
				t.Errorf("accepted %+v", job)
			}
		}
	})
}

func TestSkip_MatchesNamesWithOrWithoutTheSchema(t *testing.T) {
	for _, tt := range []struct {
		pattern, table string
		want           bool
	}{
		{"audit", "audit", true}, {"audit", "audit_1", false}, {"audit", "my_audit", false}, {"audit", "Audit", false},
		{"audit_*", "audit_", true}, {"audit_*", "audit_2024_01", true}, {"*_log", "a_log", true}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{"public.audit", "audit", true}, {"other.audit", "audit", false}, {"public.*", "audit", true},
		{"a.c", "abc", false}, {"a+", "aa", false}, {"[ab]", "a", false}, {"*", "line\nbreak", true},
	} {
		job := Job{Set: api.SchemaDiffRequest{Schemas: api.Schemas{"public"}, SetRequest: api.SetRequest{SkipTables: []string{"nothing", tt.pattern}}}}
		if got := !job.Selects(api.TableName{Schema: "public", Name: tt.table}); got != tt.want {
			t.Errorf("%s skips %q: %v", tt.pattern, tt.table, got)
		}
	}
}

// Selects considers table_name, args and skip_tables.
func TestSelects_ReadsTheRequestOfTheSchemaDiff(t *testing.T) {
	for table, wanted := range map[string]map[string]bool{
		`"a,b.*"`:  {"a.t": true, "b.t": true, "b.old": false, "c.t": false},
		"public.*": {"public.t": true, "public.old": false, "public.tmp": false, "a.t": false},
		`"*.*"`:    {"a.t": true, "a.old": false},
	} {
		jobs, err := Parse("ace.yaml", []byte("jobs:\n  - {name: a, cluster_name: demo, table_name: "+table+
			", run_frequency: 1h, args: {skip_tables: old}, skip_tables: tmp}"))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range wanted {
			schema, relation, _ := strings.Cut(name, ".")
			if got := jobs[0].Selects(api.TableName{Schema: schema, Name: relation}); got != want {
				t.Errorf("%s selects %s: %v, want %v", table, name, got, want)
			}
		}
	}
}
