package tablerepair

import (
	"context"
	"slices"

	"ace/shared/diffarchive"
	"ace/shared/diffkeys"
	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
	"ace/shared/tableschema"
)

// planByRule makes the plan of a repair by rule. Unlike in a repair by source of truth,
// every node of the document must be reachable, because each has a version that counts.
func (p *planner) planByRule(ctx context.Context) error {
	rule := p.req.Resolve
	p.plan.Resolve = &Resolution{Strategy: rule.Strategy, Missing: rule.Missing, TieBreaker: rule.TieBreaker, Skew: rule.Skew, Document: rule.Document}
	if err := p.plan.Resolve.setRules(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{p.readHead, p.describeVoters, p.matchVoters, p.measureClocks, p.checkRules, p.makeRuleTargets, p.readRuleKeys, p.judgePrivileges} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// describeVoters reads the descriptions of the table on all nodes of the document.
func (p *planner) describeVoters(ctx context.Context) error {
	if p.peer {
		return fault.New(fault.Invalid, "another tool wrote the diff document, so it may not list every node's version: compare the table again, or repair with resolve=source_of_truth")
	}
	if len(p.ignored) > 0 {
		return fault.New(fault.Invalid, "the diff document ignores columns, so the versions of a row cannot be distinguished: compare without ignore_columns, or repair with resolve=source_of_truth")
	}

	targets := p.chosen
	p.chosen = slices.DeleteFunc(slices.Clone(p.req.Nodes), func(name string) bool { return !slices.Contains(p.nodes, name) })
	if len(p.chosen) < len(p.nodes) {
		return fault.New(fault.Invalid, "the diff document compares nodes that are not active nodes of cluster %s: compare the table again", p.plan.ClusterName)
	}

	err := p.describeTargets(ctx)
	for _, failed := range p.failed {
		if err == nil {
			err = failed
		}
	}
	if err != nil {
		return err
	}

	var described []*table.Description
	for i := range p.targets {
		described = append(described, p.targets[i].node)
		if err := diffarchive.CheckServer(p.summary, p.targets[i].node); err != nil {
			return err
		}
	}
	if err := table.CheckServers(described); err != nil {
		return err
	}
	return p.matchRule(described, targets)
}

// matchRule determines the columns and the key that all nodes have, and the voters.
// targets are the names of the nodes that may be changed.
func (p *planner) matchRule(described []*table.Description, targets []string) error {
	common, err := tableschema.Tables(described, nil, p.plan.Key)
	if err != nil {
		return err
	}
	p.plan.Key = common.Key
	p.plan.Warnings = append(p.plan.Warnings, common.Warnings...)
	for _, c := range common.Columns {
		p.plan.Resolve.Columns = append(p.plan.Resolve.Columns, c.Name)
	}

	reading := tableschema.Reading{Schema: p.plan.Schema, Table: p.plan.Table, Seeds: rowdigest.DrawSeeds(), Stored: true}
	for _, d := range described {
		reading.SHA256 = reading.SHA256 || d.Probe == "" || d.Probe != described[0].Probe
	}
	for i, d := range described {
		if err := checkIndexes(d, common.KeyIndex(i), true); err != nil {
			return err
		}
		read := common.Source(d, i, reading)
		read.Partitions = nil
		p.plan.Resolve.Voters = append(p.plan.Resolve.Voters, Voter{
			Node: d.Node, Server: d.Server, Read: read, Small: !d.PartitionsHidden && table.Small(d.Partitions),
		})

		t := &p.targets[i]
		t.common, t.places = common, [2]int{min(1, len(described)-1), i}
		if i > 0 {
			t.places[0] = 0
		}
		t.source = described[t.places[0]]
	}
	if p.plan.Resolve.Strategy == Rules {
		evaluation := common.Evaluation(p.plan.Schema, described[0], 0, p.plan.Resolve.names())
		p.plan.Resolve.Evaluation = &evaluation
	}
	p.keepTargets(targets)
	return nil
}

// keepTargets removes the voters that are not to be changed from the targets.
func (p *planner) keepTargets(names []string) {
	var kept []targetBuilder
	for _, t := range p.targets {
		if slices.Contains(names, t.node.Node) {
			kept = append(kept, t)
		}
	}
	p.voters, p.targets, p.chosen = p.targets, kept, names
}

// matchVoters checks that a rule can decide and that each node can store every version.
func (p *planner) matchVoters(context.Context) error {
	var denied []*table.Denied
	for i := range p.voters {
		t := &p.voters[i]
		if missing := t.common.Missing(t.node, i, p.plan.Schema, p.plan.Table); !missing.IsZero() {
			denied = append(denied, deniedOn(t.node.Node, missing))
		}
	}
	if len(denied) > 0 {
		return fault.New(fault.Invalid, "%s", deniedText(forRepair, denied))
	}

	if slices.Contains(p.voters[0].common.ByText, true) {
		return fault.New(fault.Invalid, "the nodes may order the key of the table differently, so two keys may identify one row: repair with resolve=source_of_truth")
	}
	for i := range p.voters {
		if err := p.checkVoter(p.voters[i].node, p.voters[0].node); err != nil {
			return err
		}
	}
	return nil
}

// checkVoter checks the table of one node. first is the description of the first node.
func (p *planner) checkVoter(d, first *table.Description) error {
	for _, c := range d.Columns {
		other, _ := first.Column(c.Name)
		switch {
		case c.Type.SQL != other.Type.SQL || tableschema.ModifierDiffers(c, other):
			return fault.New(fault.Invalid, "column %q is %s on node %q and %s on node %q: a rule needs columns of the same type, so repair with resolve=source_of_truth",
				c.Name, other.Declared, first.Node, c.Declared, d.Node)
		case c.Generated && p.plan.Resolve.Composes:
			return fault.New(fault.Invalid, "column %q is generated, so no row can be put together from several nodes: repair with another value of resolve", c.Name)
		}
	}

	switch {
	case !p.plan.Resolve.ComparesTimes || d.CommitTimes:
		return nil
	case !d.TracksCommits:
		return fault.New(fault.Invalid, "node %q: track_commit_timestamp is off, so it is not known when a row was written: run ALTER SYSTEM SET track_commit_timestamp = on and restart the server; only later commits have times", d.Node)
	}
	return fault.New(fault.Invalid, "node %q: the role may not read commit times, or may not lock the table: run GRANT EXECUTE ON FUNCTION pg_catalog.pg_xact_commit_timestamp_origin(xid), and GRANT SELECT ON pg_catalog.pg_replication_origin and on the table, to the role", d.Node)
}

// measureClocks measures how far the clocks of the nodes are apart, if a rule compares
// times.
func (p *planner) measureClocks(ctx context.Context) error {
	r := p.plan.Resolve
	if !r.ComparesTimes {
		return nil
	}
	var clocks []clock
	for i := range r.Voters {
		node, err := p.open(ctx, r.Voters[i].Node)
		if err != nil {
			return err
		}
		found, err := node.Abilities(ctx)
		if err != nil {
			return err
		}
		r.Voters[i].Clock = found.ClockSkew
		clocks = append(clocks, clock{r.Voters[i].Node, found.ClockSkew, found.ClockError})
	}

	if warning := r.raiseSkew(clocks); warning != "" {
		p.plan.Warnings = append(p.plan.Warnings, warning)
	}
	return nil
}

// checkRules lets the first voter check the expressions of a rules document.
func (p *planner) checkRules(ctx context.Context) error {
	if p.plan.Resolve.Strategy != Rules {
		return nil
	}
	first, err := p.open(ctx, p.plan.Resolve.Voters[0].Node)
	if err == nil {
		_, err = p.plan.decider(ctx, first)
	}
	return err
}

// makeRuleTargets plans the repair of each node that may be changed, or records why it
// cannot be changed.
func (p *planner) makeRuleTargets(ctx context.Context) error {
	p.plan.Targets = make([]Target, len(p.targets))
	for i := range p.targets {
		t := &p.targets[i]
		target, warnings, err := t.build()
		if err != nil && ctx.Err() == nil {
			target = failedTarget(t.node.Node, err)
		}
		target.ReadDigest = p.plan.Resolve.Voters[t.places[1]].Read.Digest
		target.WriteDigest = target.ReadDigest
		target.SmallSource = false // the keys of the source are checked when they are decided
		p.plan.Targets[i] = target
		for _, text := range warnings {
			if !slices.Contains(p.plan.Warnings, text) {
				p.plan.Warnings = append(p.plan.Warnings, text)
			}
		}
	}
	return ctx.Err()
}

// readRuleKeys reads the keys of the document for all pairs of nodes, and stores them.
func (p *planner) readRuleKeys(ctx context.Context) error {
	keys, err := p.ruleKeys(ctx)
	if err != nil {
		return err
	}
	to := &p.plan.Resolve.Keys
	if err := p.storeKeys(ctx, to, keys); err != nil {
		return err
	}
	for i := range p.plan.Targets {
		p.plan.Targets[i].Keys = *to
	}
	return nil
}

func (p *planner) ruleKeys(ctx context.Context) (*diffkeys.Keys, error) {
	doc, err := diffarchive.Open(ctx, p.store, p.req.Input)
	if err != nil {
		return nil, err
	}
	defer doc.Close()

	voters := p.plan.Resolve.Voters
	nodes := make([]Node, len(voters))
	for i, v := range voters {
		if nodes[i], err = p.open(ctx, v.Node); err != nil {
			return nil, err
		}
	}

	keys, err := diffkeys.Collect(ctx, doc.Reader, diffkeys.Options{
		Columns: p.plan.Key,
		Rank: func(keys []table.Key) ([]int, error) {
			err := diffkeys.CheckReadable(keys, len(nodes), func(node int, keys []table.Key) (map[int]error, error) {
				return nodes[node].UnreadableKeys(ctx, voters[node].Read, keys)
			})
			if err != nil {
				return nil, err
			}
			return nodes[0].RankKeys(ctx, voters[0].Read, keys)
		},
		Spool: diffarchive.NewSpool(p.store, p.plan.TaskID),
	})
	if err != nil {
		return nil, err
	}
	return keys, doc.Verify()
}
