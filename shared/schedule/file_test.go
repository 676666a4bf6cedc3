package schedule

import (
	"strings"
	"testing"
	"time"

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
	if everything.Schema != "My Schema" || everything.Table() != `"My Schema".*` || everything.Jitter != 5*time.Minute || everything.FullEvery != 3*24*time.Hour || everything.Enabled {
		t.Errorf("read %+v", everything)
	}
}

func TestParse_SaysWhereWhatWasGivenAndWhatIsAllowed(t *testing.T) {
	job := func(fields string) string { return "jobs:\n  - {name: a, " + fields + "}" }
	good := "cluster_name: demo, table_name: public.users, run_frequency: 1h"
	tests := []struct{ name, file, want string }{
		{"nothing", "", "ace.yaml: the file is empty, allowed is jobs: [...]"},
		{"not YAML", "jobs: [", "ace.yaml: not valid YAML:"},
		{"no jobs", "{}", "ace.yaml: jobs is missing, allowed is jobs: [...]"},
		{"something else", "job: []", `ace.yaml, line 1: unknown field "job", allowed are jobs`},
		{"jobs is no list", "jobs: 5", "ace.yaml, line 1: jobs is no list, allowed is a list of jobs"},
		{"a job is no mapping", "jobs: [5]", "ace.yaml, line 1, job 1: this is no mapping, allowed are the fields " + allowedFields},
		{"no name", "jobs: [{" + good + "}]", "ace.yaml, line 1, job 1: name is missing, allowed is " + allowedName},
		{"a bad name", "jobs: [{name: ../x, " + good + "}]", `ace.yaml, line 1, job 1: name is "../x", allowed is ` + allowedName},
		{"a name twice", job(good) + "\n  - {name: a, " + good + "}", `ace.yaml, line 3, job 2: name is "a", allowed is ` + allowedName},
		{"a typo", job(good + ", enable: false"), `ace.yaml, line 2, job 1: unknown field "enable", allowed are ` + allowedFields},
		{"a field twice", job(good + ", enabled: true, enabled: false"), `line 2, job 1: "enabled" is given twice, allowed is once`},
		{"no cluster", job("table_name: public.users, run_frequency: 1h"), "ace.yaml, line 2, job a: cluster_name is required"},
		{"a bad table", job("cluster_name: demo, table_name: users, run_frequency: 1h"), `job a: table_name is "users", allowed is schema.table, such as public.users`},
		{"a bad argument", job(good + ", args: {block_rows: 5}"), `ace.yaml, line 2, job a: block_rows is "5", allowed is a whole number from 1000 to 1000000`},
		{"an unknown argument", job(good + ", args: {block_row: 5}"), `job a: unknown parameter "block_row" (did you mean block_rows?)`},
		{"a table among the arguments", job(good + ", args: {table_name: public.x}"), "job a: args has table_name, allowed is to give it beside args"},
		{"an argument without value", job(good + ", args: {nodes: }"), "job a: args.nodes has no value, allowed is one value"},
		{"neither time", job("cluster_name: demo, table_name: public.users"), "job a: allowed is exactly one of crontab_schedule and run_frequency"},
		{"both times", job(good + ", crontab_schedule: '@daily'"), "job a: allowed is exactly one of crontab_schedule and run_frequency"},
		{"a bad frequency", job("cluster_name: demo, table_name: public.users, run_frequency: 5s"), `job a: run_frequency is "5s", allowed is ` + allowedEvery},
		{"a bad crontab", job("cluster_name: demo, table_name: public.users, crontab_schedule: '61 * * * *'"), `job a: crontab_schedule is "61 * * * *", allowed is ` + allowedCrontab},
		{"a bad wait", job(good + ", rerun_after: soon"), `job a: rerun_after is "soon", allowed is ` + allowedWait},
		{"a bad switch", job(good + ", enabled: 1"), `job a: enabled is "1", allowed is true or false`},
		{"another bad switch", job(good + ", incremental: maybe"), `job a: incremental is "maybe", allowed is true or false`},
		{"a bad interval", job(good + ", incremental: true, full_every: weekly"), `line 2, job a: full_every is "weekly", allowed is ` + allowedEvery},
		{"an interval for nothing", job(good + ", full_every: 1w"), "line 2, job a: full_every is given, allowed is only with incremental: true"},
		{"two baselines", job(good + ", incremental: true, args: {baseline: last}"), "line 2, job a: incremental is given and args has a baseline, allowed is one of them"},
		{"an alias", "x: &x 1\njobs: []", `unknown field "x", allowed are jobs`},
		{"two documents", valid + "---\njobs: []", "there is more than one YAML document, allowed is one"},
		{"a huge file", strings.Repeat("#", MaxFile+1), "ace.yaml: the file has 1048577 bytes, allowed are 1048576"},
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
			if job.timing == nil || job.Request.Validate() != nil || !namePattern.MatchString(job.Name) {
				t.Errorf("accepted %+v", job)
			}
		}
	})
}
