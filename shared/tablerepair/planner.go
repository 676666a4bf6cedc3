package tablerepair

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/diffarchive"
	"ace/shared/difffile"
	"ace/shared/diffkeys"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/patience"
	"ace/shared/table"
	"ace/shared/tableschema"
	"ace/shared/task"
)

// Request is the request for a repair or, if Undoes is set, for the undo of a repair.
type Request struct {
	TaskID      string
	ClusterName string
	Database    string
	Schema      string
	Table       string
	Input       task.Document // the diff document; zero for an undo
	Undoes      string        // the task whose repair is undone
	// Source is the node whose rows are right. Targets are the nodes to repair; nil means
	// all other nodes of the document.
	Source  string
	Targets []string
	// Resolve is set for a repair by rule. Source is empty then, and Targets are the nodes
	// that may be changed.
	Resolve *Rule
	// Nodes are all nodes of the cluster, in cluster order.
	Nodes []string

	// Patience is how long each step tolerates that a node or the store cannot be used.
	Patience patience.Budget

	DryRun, Report         bool
	Scripts                bool // with DryRun: write scripts that make the changes
	UpsertOnly, InsertOnly bool
	FireTriggers           bool
	AllowCascade, AllowLag bool
	AllowConflict          bool
	Lease                  string // token of the runner's lease
	SubmittedAt, StartedAt time.Time
	Arguments              json.RawMessage // the request's arguments, for the report
}

// planner makes the plan of one run.
type planner struct {
	store   archive.Store
	opener  Opener
	req     Request
	plan    *Plan
	ignored []string
	summary difffile.Summary // summary of the document
	chosen  []string         // names of the nodes to repair
	nodes   []string         // names of the nodes of the document
	peer    bool             // another tool wrote the document
	source  *table.Description
	targets []targetBuilder // one for each chosen node
	voters  []targetBuilder // in a repair by rule, one for each node of the document
	failed  []error         // for each chosen node, why it could not be described; nil if it could
	denied  table.Grants    // privileges that the role lacks for reading the source
}

// makePlan makes the plan of a repair or undo from the catalogs of the nodes and the keys
// of the document. A problem with one target is recorded in the plan and is not an error,
// because the other targets can be repaired.
func makePlan(ctx context.Context, store archive.Store, opener Opener, req Request) (*Plan, error) {
	p := &planner{store: store, opener: opener, req: req, plan: &Plan{
		Format: planFormat, TaskID: req.TaskID, PlannedAt: time.Now().UTC(),
		ClusterName: req.ClusterName, DBName: req.Database, Schema: req.Schema, Table: req.Table,
		Source: req.Source, Document: Document{Key: req.Input.Key, SHA256: req.Input.SHA256}, Undoes: req.Undoes,
		DryRun: req.DryRun, UpsertOnly: req.UpsertOnly, InsertOnly: req.InsertOnly,
		FireTriggers: req.FireTriggers, AllowCascade: req.AllowCascade, Report: req.Report, Scripts: req.Scripts,
	}}
	if err := table.CheckWritable(req.Schema, req.Table); err != nil {
		return nil, err
	}
	if req.Undoes != "" {
		if err := p.undo(ctx); err != nil {
			return nil, err
		}
		return p.plan, p.judgePrivileges(ctx)
	}
	if req.Resolve != nil {
		return p.plan, p.planByRule(ctx)
	}
	for _, step := range []func(context.Context) error{p.describeSource, p.readHead, p.describeTargets, p.checkDenied, p.checkServers, p.chooseKey, p.makeTargets, p.excuse, p.readKeys, p.judgePrivileges} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return p.plan, nil
}

func (p *planner) open(ctx context.Context, node string) (Node, error) {
	opened, err := p.opener.Open(ctx, p.plan.ClusterName, p.plan.DBName, []string{node})
	if err != nil {
		return nil, err
	}
	return p.plan.bind(opened[0]), nil
}

// describeSource reads the description of the source's table. If the role lacks
// privileges for that, describeSource records them in p.denied and returns no error.
func (p *planner) describeSource(ctx context.Context) error {
	_, d, err := p.describe(ctx, p.plan.Source)
	p.source = d
	var e *table.DeniedError
	if errors.As(err, &e) { // checkDenied reports it together with what is missing elsewhere
		p.denied = e.Missing
		return nil
	}
	if err == nil {
		p.plan.Warnings = append(p.plan.Warnings, tableschema.SuperuserWarnings(p.source, false)...)
	}
	return err
}

// checkDenied returns an error if the role may not read the description of the source's
// table.
func (p *planner) checkDenied(ctx context.Context) error { return p.checkSource(ctx, p.denied) }

// readHead reads the summary of the document, checks that the document is about this
// table, and chooses the nodes to repair.
func (p *planner) readHead(ctx context.Context) error {
	doc, err := diffarchive.Open(ctx, p.store, p.req.Input)
	if err != nil {
		return err
	}
	defer doc.Close()
	summary, nodes, err := doc.Head()
	if err != nil {
		return err
	}
	subject := diffarchive.Subject{Cluster: p.plan.ClusterName, Database: p.plan.DBName, Schema: p.plan.Schema, Table: p.plan.Table}
	if err := subject.Check(summary); err != nil {
		return err
	}
	p.summary = summary
	p.peer = doc.Peer()
	p.ignored = summary.IgnoreColumns
	if err := p.plan.redact(summary.Redact); err != nil {
		return err
	}
	p.plan.Key = summary.PrimaryKey
	if summary.DiffRowLimitReached {
		p.plan.Warnings = append(p.plan.Warnings, p.req.Input.Key+" does not contain all rows that differed: the others are not repaired")
	}
	p.warnOfMinority()
	return p.choose(nodes)
}

// warnOfMinority adds a warning if, for some of the document's rows, fewer nodes had the
// source's version of the row than another version.
func (p *planner) warnOfMinority() {
	o := p.summary.Outliers[p.plan.Source]
	if o.Minority == 0 {
		return
	}
	text := fmt.Sprintf("source_of_truth %s is in the minority: for %d of the %d rows that differ, more nodes have another version than have its own", p.plan.Source, o.Minority, p.summary.MismatchedRows)
	if o.Alone > 0 {
		text += fmt.Sprintf("; for %d, all other nodes agree", o.Alone)
	}
	p.plan.Warnings = append(p.plan.Warnings, text)
}

// choose determines which nodes are repaired. documented are the nodes of the document.
func (p *planner) choose(documented []string) error {
	p.nodes = documented
	for _, name := range p.req.Nodes {
		if slices.Contains(documented, name) && name != p.plan.Source {
			p.chosen = append(p.chosen, name)
		}
	}
	for _, name := range p.req.Targets {
		if !slices.Contains(p.chosen, name) {
			return fault.New(fault.Invalid, "nodes contains %s, but the diff document compares the nodes %s", name, strings.Join(documented, ", "))
		}
	}
	if p.req.Targets != nil {
		p.chosen = slices.DeleteFunc(p.chosen, func(name string) bool { return !slices.Contains(p.req.Targets, name) })
	}
	if len(p.chosen) == 0 {
		return fault.New(fault.Invalid, "the diff document has no node of cluster %s other than source_of_truth %s", p.plan.ClusterName, p.plan.Source)
	}
	return nil
}

// readKeys reads from the document, for each target, the keys of the rows that differ
// between that target and the source, and stores them without duplicates. It ignores
// every other pair of nodes.
func (p *planner) readKeys(ctx context.Context) error {
	for i := range p.plan.Targets {
		t := &p.plan.Targets[i]
		if t.Problem != nil {
			continue
		}
		keys, err := p.keysFor(ctx, t)
		if err != nil {
			return err
		}
		if err := p.storeKeys(ctx, &t.Keys, keys); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) keysFor(ctx context.Context, t *Target) (*diffkeys.Keys, error) {
	doc, err := diffarchive.Open(ctx, p.store, p.req.Input)
	if err != nil {
		return nil, err
	}
	defer doc.Close()
	keys, err := p.collect(ctx, doc, t)
	if err != nil {
		return nil, err
	}
	return keys, doc.Verify()
}

// collect returns the keys of the document for one target, in the key order of the
// source. Of several texts that the source treats as one key, it returns only one, unless
// t.ByText is set: then the target may treat them as different keys.
func (p *planner) collect(ctx context.Context, doc *diffarchive.Document, t *Target) (*diffkeys.Keys, error) {
	node, err := p.open(ctx, p.plan.Source)
	if err != nil {
		return nil, err
	}
	target, err := p.open(ctx, t.Node)
	if err != nil {
		return nil, err
	}

	return diffkeys.Collect(ctx, doc.Reader, diffkeys.Options{
		Columns: p.plan.Key,
		Pairs: func(pair difffile.Pair) bool {
			return slices.Contains(pair[:], p.plan.Source) && slices.Contains(pair[:], t.Node)
		},
		Rank: func(keys []table.Key) ([]int, error) {
			if err := checkReadable(ctx, node, target, t, keys); err != nil {
				return nil, err
			}
			return node.RankKeys(ctx, t.Read, keys)
		},
		Spool: diffarchive.NewSpool(p.store, p.plan.TaskID),
	})
}

// checkReadable fails if neither the source nor the target can read some key as values of
// the key's types. Without this check such a key would count as unchanged, since neither
// node has a row for it.
func checkReadable(ctx context.Context, source, target Node, t *Target, keys []table.Key) error {
	return diffkeys.CheckReadable(keys, 2, func(node int, keys []table.Key) (map[int]error, error) {
		if node == 0 {
			return source.UnreadableKeys(ctx, t.Read, keys)
		}
		return target.UnreadableKeys(ctx, t.Write.Source, keys)
	})
}

func (p *planner) storeKeys(ctx context.Context, to *Keys, keys *diffkeys.Keys) error {
	to.Name = rand.Text()
	var chunk []table.Key
	flush := func() error {
		key, header := p.plan.keyPart(*to, to.Parts)
		to.Parts++
		to.Count += int64(len(chunk))
		defer func() { chunk = chunk[:0] }()
		return storeRows(ctx, p.store, key, header, chunk)
	}

	for key, err := range keys.All(ctx) {
		if err != nil {
			return err
		}
		if chunk = append(chunk, key); len(chunk) == keysPerPart {
			if err := flush(); err != nil {
				return err
			}
		}
	}

	if len(chunk) == 0 {
		return nil
	}
	return flush()
}

func storeRows[T any](ctx context.Context, store archive.Store, key string, header part.Header, rows []T) error {
	w, err := part.Create(ctx, store, key, header)
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, row := range rows {
		if err := w.Row(row); err != nil {
			return err
		}
	}
	return w.Commit(ctx, struct{}{})
}

// describeTargets reads the description of the table on each node to repair. It records
// an error in p.failed and does not return it, because the other nodes can still be
// repaired.
func (p *planner) describeTargets(ctx context.Context) error {
	p.targets, p.failed = make([]targetBuilder, len(p.chosen)), make([]error, len(p.chosen))
	return fanout.Each(ctx, len(p.chosen), slices.Values(fanout.Indexes(len(p.chosen))), func(ctx context.Context, i int) error {
		p.failed[i] = p.req.Patience.Do(ctx, "planning the repair of node "+p.chosen[i], func() error {
			p.targets[i] = targetBuilder{plan: p.plan, source: p.source, ignored: p.ignored}
			return p.describeTarget(ctx, p.chosen[i], &p.targets[i])
		})
		return nil
	})
}

func (p *planner) describeTarget(ctx context.Context, name string, t *targetBuilder) error {
	node, d, err := p.describe(ctx, name)
	if err != nil {
		return t.withWriting(ctx, node, err)
	}
	t.node = d
	t.writing, err = node.DescribeWriting(ctx, p.plan.Schema, p.plan.Table)
	return err
}

// chooseKey determines the key by which rows are matched. If the document names a key, it
// must be a key of the source. Otherwise chooseKey chooses a key that the source and all
// targets have. If there is none, it chooses a key of the source, so that the error of
// each target names what is missing there.
func (p *planner) chooseKey(context.Context) error {
	only := []*table.Description{p.source}
	if len(p.plan.Key) == 0 {
		nodes := only
		for i, t := range p.targets {
			if p.failed[i] == nil {
				nodes = append(nodes, t.node)
			}
		}
		p.plan.Key, _ = tableschema.ChooseKey(nodes)
	}

	common, err := tableschema.Tables(only, nil, p.plan.Key)
	if err != nil {
		return err
	}
	p.plan.Key = common.Key
	return checkIndexes(p.source, common.KeyIndex(0), false)
}

// makeTargets plans the repair of each node, or records why it cannot be repaired.
func (p *planner) makeTargets(ctx context.Context) error {
	p.plan.Targets = make([]Target, len(p.chosen))
	for i, name := range p.chosen {
		err := p.failed[i]
		if err == nil {
			var warnings []string
			p.plan.Targets[i], warnings, err = p.targets[i].build()
			p.plan.Warnings = append(p.plan.Warnings, warnings...)
		}
		if err != nil && ctx.Err() == nil {
			p.plan.Targets[i] = failedTarget(name, err)
		}
		p.plan.Targets[i].Before = slices.Index(p.req.Nodes, name) < slices.Index(p.req.Nodes, p.plan.Source)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for i := range p.targets {
		if t := &p.targets[i]; t.common != nil {
			p.denied.Add(t.common.Missing(p.source, 0, p.plan.Schema, p.plan.Table))
		}
	}
	return p.checkSource(ctx, p.denied)
}
