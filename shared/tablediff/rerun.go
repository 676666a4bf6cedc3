package tablediff

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/blockplan"
	"ace/shared/diffarchive"
	"ace/shared/difffile"
	"ace/shared/tablediff/plan"
	"ace/shared/task"
)

const (
	// unitBlocks is the maximum number of blocks in a unit of a rerun. A unit with more
	// blocks could have more keys in flight than it may wait for.
	unitBlocks = plan.MaxAwaitedKeys / plan.BlockKeys
	// unitsPerWorker is the number of units for each worker. With more units, all workers
	// finish at about the same time; with fewer, there is less overhead.
	unitsPerWorker = 4
)

// Rerun is the document whose rows are compared again.
type Rerun struct {
	Document task.Document
	Behavior string // how the keys are looked up: api.BehaviorMultiprocessing or api.BehaviorHostDB
}

// planRerun makes the plan of a rerun. The plan has the document's ignored columns and
// filter, and the requested nodes that the document names. The filter is recorded but not
// applied.
func planRerun(ctx context.Context, store archive.Store, opener plan.Opener, req Request, now time.Time) (*plan.Plan, error) {
	p := &planner{request: req, plan: newPlan(req, now)}
	p.plan.Strategy = plan.Keys
	p.plan.Document = &req.Rerun.Document
	p.plan.Behavior = req.Rerun.Behavior
	p.plan.BlockRows = plan.BlockKeys
	p.plan.Layout = blockplan.Layout{ChunksPerBlock: 1, BlocksPerBatch: 1}
	summary, err := p.readDocument(ctx, store)
	if err != nil {
		return nil, err
	}

	if p.plan.Behavior == api.BehaviorHostDB {
		p.plan.Workers = 1
		p.plan.Layout.BlocksPerBatch = plan.StatementBlocks
	} else {
		p.plan.Layout.BlocksPerBatch = blocksPerUnit(summary.MismatchedRows, p.plan.Workers)
	}

	nodes, err := opener.Open(ctx, req.ClusterName, req.Database, p.plan.Nodes)
	if err != nil {
		return nil, err
	}
	p.nodes = plan.ForRedaction(nodes, p.plan.Redaction)

	p.key = summary.PrimaryKey
	if err := p.describe(ctx); err != nil {
		return nil, err
	}

	for _, d := range p.descriptions {
		if err := diffarchive.CheckServer(summary, d); err != nil {
			return nil, err
		}
	}

	return p.plan, nil
}

// blocksPerUnit returns the number of blocks in each unit of a rerun of about this many
// keys.
func blocksPerUnit(keys int64, workers int) int {
	return int(min(max(1, keys/(plan.BlockKeys*unitsPerWorker*int64(workers))), unitBlocks))
}

// readDocument verifies that the document is about the requested table and nodes. It
// copies the nodes, filter and ignored columns of the document into the plan and returns
// the summary of the document.
func (p *planner) readDocument(ctx context.Context, store archive.Store) (difffile.Summary, error) {
	d, err := diffarchive.Open(ctx, store, p.request.Rerun.Document)
	if err != nil {
		return difffile.Summary{}, err
	}
	defer d.Close()

	summary, nodes, err := d.Head()
	if err != nil {
		return summary, err
	}

	about := diffarchive.Subject{Cluster: p.plan.ClusterName, Database: p.plan.DBName, Schema: p.plan.Schema, Table: p.plan.Table}
	if err := about.Check(summary); err != nil {
		return summary, err
	}
	if err := diffarchive.CheckNodes(nodes, p.plan.ClusterName, p.request.Nodes); err != nil {
		return summary, err
	}

	p.plan.Nodes = slices.DeleteFunc(slices.Clone(p.request.Nodes), func(node string) bool {
		return len(nodes) > 0 && !slices.Contains(nodes, node)
	})

	p.plan.Filter = summary.TableFilter
	p.plan.Ignored = summary.IgnoreColumns
	p.inheritRedaction(summary)
	if summary.DiffRowLimitReached {
		p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf("%s does not contain all rows that differed; the others were not compared again", p.request.Rerun.Document.Key))
	}

	return summary, nil
}
