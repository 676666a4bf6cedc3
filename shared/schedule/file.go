package schedule

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/yamlfile"
)

const (
	// MaxFile is the maximum size of a schedules file in bytes.
	MaxFile = 1 << 20

	allowedName   = api.AllowedName + ", once in the file"
	allowedFields = "name, cluster_name, table_name, skip_tables, args, crontab_schedule, run_frequency, rerun_after, jitter, incremental, full_every, enabled"
	allowedWait   = "a time of at least 1s and at most 168h, such as 10m"

	maxWait = 7 * 24 * time.Hour

	// defaultFullEvery is the default of full_every. An incremental comparison does not
	// detect changes that write no row version, so a full one is needed from time to
	// time.
	defaultFullEvery = "1w"
)

// Parse parses the content of a schedules file. file is the file's name for messages. The
// error is one fault with code Invalid whose message has a line for each problem: its
// position, the value and what is allowed.
func Parse(file string, data []byte) ([]Job, error) {
	p := parser{Reader: yamlfile.Reader{File: file, Entry: "job", MaxSize: MaxFile}, names: map[string]bool{}}
	jobs := p.jobs(p.Entries(data))
	if err := p.Err(); err != nil {
		return nil, err
	}
	return jobs, nil
}

type parser struct {
	yamlfile.Reader
	names map[string]bool // the names of the jobs parsed so far; each name may occur only once
}

func (p *parser) jobs(nodes []*yaml.Node) []Job {
	jobs := make([]Job, 0, len(nodes))
	for i, node := range nodes {
		jobs = append(jobs, p.job(node, i+1))
	}
	return jobs
}

func (p *parser) job(node *yaml.Node, number int) Job {
	nth := strconv.Itoa(number)
	fields := p.Fields(node, nth, strings.Split(allowedFields, ", "), allowedFields)
	if node.Kind != yaml.MappingNode {
		return Job{}
	}

	job := Job{Name: p.name(node, fields["name"], nth)}
	text := func(field string) string { return p.text(fields[field], job.Name, field) }
	if err := job.decode(text("cluster_name"), text("table_name"), p.args(fields["args"], job.Name)); err != nil {
		p.Note(node.Line, job.Name, "%s", fault.PublicMessage(err))
	}

	job.Set.SkipTables = append(job.Set.SkipTables, p.skipTables(fields["skip_tables"], job)...)
	job.Spec, job.timing = p.timing(node, fields, job.Name)
	job.RerunAfter = p.wait(fields["rerun_after"], job.Name, "rerun_after")
	job.Jitter = p.wait(fields["jitter"], job.Name, "jitter")
	job.FullEvery = p.fullEvery(fields, job)
	job.Enabled = p.flag(fields["enabled"], job.Name, "enabled", true)
	return job
}

// name returns the name of a job. If the job has no valid name, name records a problem
// and returns nth, the job's number in the file.
func (p *parser) name(job, node *yaml.Node, nth string) string {
	if node == nil {
		p.Note(job.Line, nth, "name is missing; it must be %s", allowedName)
		return nth
	}
	name := p.text(node, nth, "name")
	if !api.IsName(name) || p.names[name] {
		p.Note(node.Line, nth, "name is %.80q; it must be %s", name, allowedName)
		return nth
	}
	p.names[name] = true
	return name
}

// text returns the text of a scalar, or "" if node is nil. If node is not a scalar with a
// value, text records a problem and returns "".
func (p *parser) text(node *yaml.Node, job, field string) string {
	if node == nil {
		return ""
	}
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" || node.Value == "" {
		p.Note(node.Line, job, "%s has no value; give it one value", field)
		return ""
	}
	return node.Value
}

// args returns the parameters of table-diff in node, the value of the field args. It
// joins the items of a list with commas, as in a query string.
func (p *parser) args(node *yaml.Node, job string) map[string]string {
	if node == nil {
		return nil
	}

	args := map[string]string{}
	for name, value := range p.Fields(node, job, nil, "the parameters of table-diff") {
		if name == "cluster_name" || name == "table_name" {
			p.Note(value.Line, job, "args has %s; move it out of args", name)
			continue
		}
		if value.Kind != yaml.SequenceNode {
			args[name] = p.text(value, job, "args."+name)
			continue
		}
		var items []string
		for _, item := range value.Content {
			items = append(items, p.text(item, job, "args."+name))
		}
		args[name] = strings.Join(items, ",")
	}
	return args
}

// skipTables returns the patterns of skip_tables, a list or one pattern.
func (p *parser) skipTables(node *yaml.Node, job Job) []string {
	if node == nil {
		return nil
	}
	if !job.HasPattern() {
		p.Note(node.Line, job.Name, "skip_tables needs a pattern such as public.* in table_name")
	}

	items := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		items = node.Content
	}
	var patterns []string
	for _, item := range items {
		pattern := p.text(item, job.Name, "skip_tables")
		if len(pattern) > api.MaxPattern {
			p.Note(item.Line, job.Name, "skip_tables has a pattern of %d bytes; the maximum is %d", len(pattern), api.MaxPattern)
		}
		patterns = append(patterns, pattern)
	}
	return patterns
}

func (p *parser) timing(job *yaml.Node, fields map[string]*yaml.Node, name string) (string, timing) {
	crontab, every := fields["crontab_schedule"], fields["run_frequency"]
	if (crontab == nil) == (every == nil) {
		p.Note(job.Line, name, "set exactly one of crontab_schedule and run_frequency")
		return "", nil
	}

	node, field, parse, allowed := crontab, "crontab_schedule", parseCrontab, allowedCrontab
	if every != nil {
		node, field, parse, allowed = every, "run_frequency", parseEvery, allowedEvery
	}

	text := p.text(node, name, field)
	if text == "" {
		return "", nil
	}

	parsed, err := parse(text)
	if err != nil {
		p.Note(node.Line, name, "%s is %.80q: %v; it must be %s", field, text, err, allowed)
	}
	return text, parsed
}

func (p *parser) wait(node *yaml.Node, job, field string) time.Duration {
	text := p.text(node, job, field)
	if text == "" {
		return 0
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < time.Second || wait > maxWait {
		p.Note(node.Line, job, "%s is %.60q; it must be %s", field, text, allowedWait)
	}
	return wait
}

// fullEvery returns the value of full_every: when the last full comparison is this old,
// the next run is full. It returns 0 if the job is not incremental.
func (p *parser) fullEvery(fields map[string]*yaml.Node, job Job) time.Duration {
	node := fields["full_every"]
	if !p.flag(fields["incremental"], job.Name, "incremental", false) {
		if node != nil {
			p.Note(node.Line, job.Name, "full_every needs incremental: true")
		}
		return 0
	}

	if job.Request.Baseline != "" {
		p.Note(fields["incremental"].Line, job.Name, "incremental and args.baseline are both given; set only one of them")
	}

	text := defaultFullEvery
	if node != nil {
		text = p.text(node, job.Name, "full_every")
	}

	every, err := parseStep(text)
	if err != nil && text != "" { // a missing value was already recorded as a problem
		p.Note(node.Line, job.Name, "full_every is %.80q: %v; it must be %s", text, err, allowedEvery)
	}
	return every
}

func (p *parser) flag(node *yaml.Node, job, field string, otherwise bool) bool {
	if node == nil {
		return otherwise
	}
	switch text := p.text(node, job, field); text {
	case "true", "false":
		return text == "true"
	default:
		p.Note(node.Line, job, "%s is %.60q; it must be true or false", field, text)
	}
	return false
}
