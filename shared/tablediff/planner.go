package tablediff

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/blockplan"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/patience"
	"ace/shared/redact"
	"ace/shared/rowdigest"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
	"ace/shared/tableschema"
)

// Ways to digest rows, as named in plans and requests.
const (
	ChecksumHash   = "hash"
	ChecksumSHA256 = api.ChecksumSHA256
)

const (
	// exactRows is the maximum estimated number of rows for which chunk boundaries are
	// computed from all keys. If there are more rows, the boundaries are computed from a
	// sample of keys. The estimate counts the rows that the filter selects. If keys are
	// ordered by their text (ByText), it counts all rows of the table, and a table with at
	// most exactRows rows is a single chunk.
	exactRows = 50_000
	// correlated is the minimum correlation between key order and physical order (see
	// blockplan.Correlation) with which a table is read through the index. With less
	// correlation, the rows of a key range are scattered over too many pages.
	correlated = 0.8
	// scatteredPages is the number of pages up to which a table is read through the index
	// even if its rows are not in key order, since such a table fits in memory.
	scatteredPages = 1_000
)

// Request is one comparison to run.
type Request struct {
	TaskID      string
	SubmittedAt time.Time
	StartedAt   time.Time // when the first run of the task started

	ClusterName string
	Database    string
	Table       api.TableName
	// Nodes are the nodes to compare, in cluster order.
	Nodes []string
	// Filter and IgnoreColumns are as in api.TableDiffRequest. A rerun ignores both fields:
	// its plan has the filter and the ignored columns of the document.
	Filter        string
	IgnoreColumns []string
	// Redact are the columns whose values are redacted. A rerun also redacts the columns
	// that are redacted in the document that it reruns.
	Redact []string

	BlockRows int
	BatchSize int // number of blocks per unit of work
	// sizeWarnings states which of BlockRows and BatchSize are not as requested.
	sizeWarnings []string
	// Workers is the maximum number of units that are done at once.
	Workers      int
	MaxDiffRows  int64         // maximum number of rows written to the document for each pair of nodes
	ConfirmDelay time.Duration // 0 means that candidates are read only once
	Checksum     string        // ChecksumSHA256, or any other value for the fastest digest that all nodes support
	// Baseline names an earlier comparison: it is the id of a task, or api.BaselineLast.
	// Then only what may have changed since that comparison is compared. Empty means to
	// compare everything.
	Baseline string
	// SequentialScan is one of the values in package api: whether the table may be read by
	// sequential scans. Empty means api.SequentialScanNever.
	SequentialScan string
	// scanLimit bounds how long a sequential scan is expected to take.
	scanLimit scanLimit

	// Patience is how long each step is tried again while a node or the store cannot be
	// used.
	Patience patience.Budget

	// OfSet means that the table is one of a set, which a parent compares.
	OfSet bool

	// Rerun restricts the comparison to the keys of one document, and to the nodes that are
	// both in Nodes and in the document. nil means that the whole table is compared.
	Rerun *Rerun
}

// planner makes the plan of one run.
type planner struct {
	request      Request
	nodes        []plan.Node
	descriptions []*table.Description
	common       *tableschema.Common
	// key is set if rows must be matched by a given key: the key of a rerun's document, or
	// the key of the stored plan. Otherwise it is empty, and describe chooses the key.
	key       []string
	plan      *plan.Plan
	estimates []int64 // per node, about how many rows the filter selects

	most    int64          // number of rows that the boundaries divide, estimated on the node that has the most
	exact   bool           // the boundaries are computed from all keys
	size    blockplan.Size // for the strategies other than sequential scans
	samples []table.Sample // per node: the sampled keys
}

// makePlan returns a planner that has made the plan: it has read the table's description
// on every node and divided the key space.
func makePlan(ctx context.Context, opener plan.Opener, req Request, now time.Time) (*planner, error) {
	nodes, err := opener.Open(ctx, req.ClusterName, req.Database, req.Nodes)
	if err != nil {
		return nil, err
	}

	p := &planner{request: req, plan: newPlan(req, now)}
	p.nodes = plan.ForRedaction(nodes, p.plan.Redaction)
	for _, step := range []func(context.Context) error{p.readFacts, p.describe, p.checkFilter, p.divide} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}

	return p, nil
}

// newPlan returns a plan with the fields that are known before any node is contacted.
func newPlan(req Request, now time.Time) *plan.Plan {
	return &plan.Plan{
		Format: plan.Format, TaskID: req.TaskID, PlannedAt: now.UTC(),
		ClusterName: req.ClusterName, DBName: req.Database, Schema: req.Table.Schema, Table: req.Table.Name,
		Nodes: req.Nodes, Workers: req.Workers, MaxDiffRows: req.MaxDiffRows,
		ConfirmDelay: req.ConfirmDelay, Filter: req.Filter, Ignored: req.IgnoreColumns,
		Seeds: rowdigest.DrawSeeds(), Digest: rowdigest.RowVersion, Warnings: slices.Clone(req.sizeWarnings), Redaction: redact.New(req.Redact),
	}
}

// readFacts reads the facts of every node into the plan. It must be called before the
// other steps, because checkFacts detects only changes that are made after readFacts.
func (p *planner) readFacts(ctx context.Context) (err error) {
	p.plan.Facts, err = readFacts(ctx, p.nodes, p.plan.Schema, p.plan.Table)
	return err
}

func readFacts(ctx context.Context, nodes []plan.Node, schema, name string) ([]table.Facts, error) {
	return fanout.Map(ctx, len(nodes), nodes, func(ctx context.Context, n plan.Node) (table.Facts, error) {
		return n.Facts(ctx, schema, name)
	})
}

// describe reads the catalogs of the nodes, finds the columns and the key that they have
// in common, and sets the plan's sources.
func (p *planner) describe(ctx context.Context) error {
	err := p.readDescriptions(ctx)
	if err != nil {
		return err
	}
	if err := p.bindServers(); err != nil {
		return err
	}

	p.chooseChecksum()
	key := p.key
	if len(key) > 0 {
		key = tableschema.KeyOrder(p.descriptions, key)
	}
	if p.common, err = tableschema.Tables(p.descriptions, p.plan.Ignored, key); err != nil {
		return err
	}

	if err := p.checkPrivileges(); err != nil {
		return err
	}

	p.plan.Columns = p.common.Columns
	p.plan.Key = p.common.Key
	if err := p.redactColumns(); err != nil {
		return err
	}
	p.plan.ByText = p.common.Unordered || slices.Contains(p.common.ByText, true)
	p.plan.Warnings = append(p.plan.Warnings, p.common.Warnings...)
	if p.common.Unordered && p.plan.Strategy != plan.Keys {
		p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf("the nodes' indexes have the columns of the key (%s) in different orders: rows are compared page by page", strings.Join(p.plan.Key, ", ")))
	}

	p.writeSources()
	p.chooseCommitTimes()
	for i, d := range p.descriptions {
		p.plan.Warnings = append(p.plan.Warnings, tableschema.SuperuserWarnings(d, false)...)
		p.plan.Warnings = append(p.plan.Warnings, tableschema.StaleWarnings(d, p.common.KeyIndex(i), p.plan.Sources[i].Filter != "")...)
		p.plan.ServerVersions = append(p.plan.ServerVersions, versionText(d.ServerVersion))
	}

	return nil
}

// writeSources sets the plan's sources, which describe how each node's table is read.
func (p *planner) writeSources() {
	reading := tableschema.Reading{
		Schema: p.plan.Schema, Table: p.plan.Table, Filter: p.plan.Filter, SHA256: p.plan.Checksum == ChecksumSHA256, Seeds: p.plan.Seeds,
		DigestVersion: cmp.Or(p.plan.Digest, rowdigest.FirstRowVersion),
	}

	if p.plan.Strategy == plan.Keys { // the filter was applied when the document was made
		reading.Filter = ""
	}

	p.plan.Sources = nil
	for i, d := range p.descriptions {
		source := p.common.Source(d, i, reading)
		p.plan.Sources = append(p.plan.Sources, source)
		p.plan.ByText = p.plan.ByText || source.Unindexed
	}
}

// chooseCommitTimes decides from which nodes the last writes of rows are read. If some
// nodes record commit times, it warns about those that do not.
func (p *planner) chooseCommitTimes() {
	p.plan.CommitTimes = nil
	if !slices.ContainsFunc(p.descriptions, func(d *table.Description) bool { return d.CommitTimes }) {
		return
	}
	var off []string
	for _, d := range p.descriptions {
		p.plan.CommitTimes = append(p.plan.CommitTimes, d.CommitTimes)
		if !d.TracksCommits {
			off = append(off, d.Node)
		}
	}
	if len(off) > 0 {
		p.plan.Warnings = append(p.plan.Warnings, fmt.Sprintf("the document lacks the commit times of rows on %s, because track_commit_timestamp is off: "+
			"run ALTER SYSTEM SET track_commit_timestamp = on and restart the server; only later commits have times", strings.Join(off, ", ")))
	}
}

// chooseChecksum chooses SHA-256 if the request asks for it, or if the nodes returned
// different digests for the same constants. Otherwise it chooses the fast digest.
func (p *planner) chooseChecksum() {
	p.plan.Checksum = ChecksumHash
	if p.request.Checksum == api.ChecksumSHA256 {
		p.plan.Checksum = ChecksumSHA256
		return
	}

	for _, d := range p.descriptions {
		if d.Probe == "" || d.Probe != p.descriptions[0].Probe {
			p.plan.Warnings = append(p.plan.Warnings, "the nodes' hash functions differ: rows are digested with the slower sha256")
			p.plan.Checksum = ChecksumSHA256
			return
		}
	}
}

func versionText(num int) string { return fmt.Sprintf("%d.%d", num/10000, num%10000) }

// checkFilter sets the row estimates. If the plan has a filter, every node validates the
// filter and estimates how many rows it selects.
func (p *planner) checkFilter(ctx context.Context) error {
	for _, d := range p.descriptions {
		p.estimates = append(p.estimates, d.RowEstimate)
	}

	if p.plan.Filter == "" {
		return nil
	}

	estimates, err := fanout.Map(ctx, len(p.nodes), fanout.Indexes(len(p.nodes)), func(ctx context.Context, i int) (int64, error) {
		rows, err := p.nodes[i].CheckFilter(ctx, p.plan.Sources[i])
		if err != nil {
			return 0, err
		}
		return rows, p.checkPartitions(ctx, i)
	})

	p.estimates = estimates
	if err == nil {
		p.plan.Selections, err = readFilter(ctx, p.plan, p.nodes)
	}

	return err
}

// checkPartitions determines whether the partitions of a table can be read one by one. A
// statement that does so reads a partition under the table's name (FROM public.users_1 AS
// users). Such a statement fails if the filter names the table with its schema
// (public.users.id > 0). Then checkPartitions removes the partitions from the node's
// source and sets PartitionsHidden, so that the table is read through its parent.
func (p *planner) checkPartitions(ctx context.Context, node int) error {
	source := p.plan.Sources[node]
	d := p.descriptions[node]
	if d.Kind != "p" || len(source.Partitions) == 0 {
		return nil
	}

	source.Relation = source.Partitions[0].Relation + " AS " + source.Alias
	_, err := p.nodes[node].CheckFilter(ctx, source)
	if fault.CodeOf(err) == fault.Invalid {
		d.PartitionsHidden = true
		p.plan.Sources[node].Partitions = nil
		return nil
	}

	return err
}

// divide chooses the strategy and the chunk boundaries.
func (p *planner) divide(ctx context.Context) error {
	plan := p.plan
	plan.RowEstimate = slices.Max(p.estimates)
	for _, rows := range p.estimates {
		plan.RowsTotalEstimate += rows
	}

	p.most = plan.RowEstimate
	p.exact = p.most <= exactRows
	if !p.exact || plan.ByText { // the boundaries divide all rows, not only those that the filter selects
		for _, d := range p.descriptions {
			p.most = max(p.most, d.RowEstimate)
		}
		p.exact = p.most <= exactRows
	}

	p.size = blockplan.SizeFor(p.most, int64(p.request.BlockRows))
	if p.size.BlockRows > int64(p.request.BlockRows) {
		plan.Warnings = append(plan.Warnings, fmt.Sprintf("block_rows was raised to %d for a table of about %d rows", p.size.BlockRows, p.most))
	}

	if p.request.Baseline == "" { // otherwise the baseline decides
		if chosen, err := p.trySequential(ctx); chosen || err != nil {
			return err
		}
	}

	samples, err := p.cut(ctx, p.size, false)
	if err == nil {
		p.chooseStrategy(samples)
	}
	return err
}

// cut chooses the chunk boundaries for these sizes. It returns the samples from which it
// computed the boundaries. countPages is as in plan.Node.Sample.
func (p *planner) cut(ctx context.Context, size blockplan.Size, countPages bool) (samples []blockplan.Sample, err error) {
	p.plan.BlockRows = size.BlockRows
	p.plan.ChunkRows = size.ChunkRows
	p.plan.Layout = blockplan.Layout{ChunksPerBlock: size.ChunksPerBlock}

	if p.samples, err = p.sample(ctx, countPages); err != nil {
		return nil, err
	}

	samples, keys, err := p.rank(ctx, p.samples)
	if err != nil {
		return nil, err
	}

	for _, at := range blockplan.Cut(samples, p.weights(), p.plan.ChunkRows) {
		p.plan.Layout.Bounds = append(p.plan.Layout.Bounds, keys[at])
	}

	p.plan.Layout.BlocksPerBatch = blockplan.BlocksPerBatch(p.plan.Layout.Blocks(), p.request.BatchSize, p.plan.Workers)
	return samples, nil
}

// sample reads some keys of every node. If p.exact is set, it reads every n-th key in key
// order, where n is the number of rows in a chunk. Otherwise it reads keys from evenly
// spaced pages, and counts pages if countPages is set.
func (p *planner) sample(ctx context.Context, countPages bool) ([]table.Sample, error) {
	return fanout.Map(ctx, len(p.nodes), fanout.Indexes(len(p.nodes)), func(ctx context.Context, i int) (table.Sample, error) {
		source := p.plan.Sources[i]
		if !p.exact {
			return p.nodes[i].Sample(ctx, source, int(p.descriptions[i].RowEstimate/p.plan.ChunkRows), countPages)
		}
		if p.plan.ByText {
			return table.Sample{}, nil // the table is small enough to be one range, and no index sorts its keys
		}

		keys, err := p.nodes[i].Every(ctx, source, p.plan.ChunkRows)
		sampled := make([]table.Sampled, len(keys))
		for k, key := range keys {
			sampled[k] = table.Sampled{Key: key, Partition: -1}
		}

		return table.Sample{Keys: sampled}, err
	})
}

// weights returns, per node, how many rows one sampled key represents.
func (p *planner) weights() []float64 {
	weights := make([]float64, len(p.samples))
	for i, sample := range p.samples {
		weights[i] = float64(p.plan.ChunkRows)
		if !p.exact && len(sample.Keys) > 0 {
			weights[i] = max(1, float64(p.descriptions[i].RowEstimate)) / float64(len(sample.Keys))
		}
	}
	return weights
}

// rank returns the samples of all nodes in one list, with the rank of each sample in key
// order, and the keys of these samples. The first node computes the ranks, since only a
// server knows the order of keys.
func (p *planner) rank(ctx context.Context, sampled []table.Sample) ([]blockplan.Sample, []table.Key, error) {
	var samples []blockplan.Sample
	var keys []table.Key
	for node, list := range sampled {
		for _, s := range list.Keys {
			samples = append(samples, blockplan.Sample{Node: node, Group: s.Partition})
			keys = append(keys, s.Key)
		}
	}

	if len(keys) == 0 {
		return nil, nil, nil
	}

	ranks, err := p.nodes[0].RankKeys(ctx, p.plan.Sources[0], keys)
	if err != nil {
		return nil, nil, err
	}
	if len(ranks) != len(samples) {
		return nil, nil, fault.New(fault.Internal, "node %q ranked %d of %d keys", p.plan.Nodes[0], len(ranks), len(samples))
	}

	for i, rank := range ranks {
		samples[i].Rank = rank
	}

	return samples, keys, nil
}

// chooseStrategy chooses pages if no index orders the keys alike on all nodes (ByText).
// It also chooses pages if the table is large, its physical order is far from key order,
// and the pages of its partitions can be read. Otherwise it chooses key ranges.
func (p *planner) chooseStrategy(samples []blockplan.Sample) {
	p.plan.Strategy = plan.KeyRanges
	scattered := blockplan.Correlation(samples) < correlated && p.mostPages() > scatteredPages && p.pagesReadable()
	if !scattered && !p.plan.ByText {
		return
	}

	p.plan.Strategy = plan.Pages
	for i := range p.plan.Sources {
		if !p.pagesReadable() { // read the whole table through its parent
			p.plan.Sources[i].Partitions = []table.Partition{{Relation: p.plan.Sources[i].Relation}}
		}
	}

	if p.plan.Sources[0].KeyHash != "" {
		p.plan.Buckets = blockplan.Buckets(p.plan.RowEstimate)
	}
	if p.plan.Buckets > 0 && p.pagesReadable() && whyAgesUnreliable(p.plan) == "" {
		p.plan.Grid = blockplan.GridPages(p.mostPages())
	}

	p.divideScans()
}

// divideScans divides the pages of every node among scan units.
func (p *planner) divideScans() {
	pages := make([][]int64, len(p.nodes))
	for i, source := range p.plan.Sources {
		for _, partition := range source.Partitions {
			pages[i] = append(pages[i], partition.Pages)
		}
	}
	units := blockplan.ScanUnits(p.plan.RowEstimate, p.plan.BlockRows*int64(p.request.BatchSize), p.plan.Workers)
	p.plan.Scans = blockplan.DividePages(pages, units, p.plan.Grid)
}

// pagesReadable reports whether the pages of every partition can be read on every node.
func (p *planner) pagesReadable() bool {
	return !slices.ContainsFunc(p.descriptions, func(d *table.Description) bool {
		return d.PartitionsHidden
	})
}

func (p *planner) mostPages() int64 {
	var most int64
	for _, d := range p.descriptions {
		var pages int64
		for _, partition := range d.Partitions {
			pages += partition.Pages
		}
		most = max(most, pages)
	}
	return most
}
