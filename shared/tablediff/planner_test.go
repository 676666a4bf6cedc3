package tablediff

import (
	"context"
	"slices"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/blockplan"
	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// probed is a node that ranks keys as numbers.
type probed struct {
	plan.Node
	ranks []int
}

func (n probed) RankKeys(context.Context, table.Source, []table.Key) ([]int, error) {
	return n.ranks, nil
}

func plannerOf(checksum string, nodes ...plan.Node) *planner {
	p := &planner{nodes: nodes, plan: &plan.Plan{Sources: make([]table.Source, len(nodes)), ChunkRows: 100, BlockRows: 1000, Workers: 2}}
	p.request.Checksum = checksum
	p.request.BatchSize = 10
	for range nodes {
		p.plan.Nodes = append(p.plan.Nodes, "n")
	}
	return p
}

// There is no warning if no node of the cluster records commit times.
func TestChooseCommitTimes_WarnsOnlyIfAnotherNodeHasThem(t *testing.T) {
	on, off := &table.Description{Node: "n1", TracksCommits: true, CommitTimes: true}, &table.Description{Node: "n2"}
	standby := &table.Description{Node: "n3", TracksCommits: true}
	for name, tt := range map[string]struct {
		nodes  []*table.Description
		want   []bool
		warned bool
	}{
		"all":               {[]*table.Description{on, on}, []bool{true, true}, false},
		"none":              {[]*table.Description{off, off}, nil, false},
		"only standbys":     {[]*table.Description{standby, off}, nil, false},
		"one has it off":    {[]*table.Description{on, off}, []bool{true, false}, true},
		"one is a standby":  {[]*table.Description{on, standby}, []bool{true, false}, false},
		"three, two of all": {[]*table.Description{on, off, on}, []bool{true, false, true}, true},
	} {
		p := &planner{plan: &plan.Plan{}, descriptions: tt.nodes}
		p.chooseCommitTimes()
		warned := slices.ContainsFunc(p.plan.Warnings, func(text string) bool {
			return strings.Contains(text, "on n2") && strings.Contains(text, "ALTER SYSTEM SET track_commit_timestamp = on")
		})
		if !slices.Equal(p.plan.CommitTimes, tt.want) || warned != tt.warned || len(p.plan.Warnings) > 1 {
			t.Errorf("%s: %v, warnings %v", name, p.plan.CommitTimes, p.plan.Warnings)
		}
	}
}

func TestChooseChecksum_FastOnlyIfAllNodesAgree(t *testing.T) {
	for _, tt := range []struct {
		name, asked string
		digests     []string
		want        string
		warned      bool
	}{
		{"all agree", api.ChecksumAuto, []string{"1", "1", "1"}, ChecksumHash, false},
		{"one differs", api.ChecksumAuto, []string{"1", "1", "2"}, ChecksumSHA256, true},
		{"one has none", api.ChecksumAuto, []string{"1", ""}, ChecksumSHA256, true},
		{"no node has one", api.ChecksumAuto, []string{"", ""}, ChecksumSHA256, true},
		{"requested", api.ChecksumSHA256, []string{"1", "1"}, ChecksumSHA256, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := plannerOf(tt.asked)
			for _, digest := range tt.digests {
				p.descriptions = append(p.descriptions, &table.Description{Probe: digest})
			}

			p.chooseChecksum()
			if got := p.plan.Checksum; got != tt.want || len(p.plan.Warnings) > 0 != tt.warned {
				t.Errorf("got %s, warnings %v; want %s", got, p.plan.Warnings, tt.want)
			}
		})
	}
}

func TestPlannerRank_ResultOfWrongLengthIsAnError(t *testing.T) {
	sampled := []table.Sample{
		{Keys: []table.Sampled{{Key: table.Key{"1"}}, {Key: table.Key{"2"}, Partition: 3}}},
		{Keys: []table.Sampled{{Key: table.Key{"1"}, Partition: -1}}},
	}
	p := plannerOf("", probed{ranks: []int{0, 1}}, probed{})
	if _, _, err := p.rank(t.Context(), sampled); fault.CodeOf(err) != fault.Internal {
		t.Errorf("two ranks for three keys: %v, want an Internal error", err)
	}

	p.nodes[0] = probed{ranks: []int{0, 1, 0}}
	samples, keys, err := p.rank(t.Context(), sampled)
	want := []blockplan.Sample{{Node: 0, Rank: 0}, {Node: 0, Group: 3, Rank: 1}, {Node: 1, Group: -1, Rank: 0}}
	if err != nil || !slices.Equal(samples, want) || len(keys) != 3 {
		t.Errorf("samples %+v of keys %v, error %v", samples, keys, err)
	}
}

func TestWeights_AreTheRowsPerSample(t *testing.T) {
	p := plannerOf("", probed{}, probed{}, probed{})
	p.descriptions = []*table.Description{{RowEstimate: 5000}, {RowEstimate: 0}, {RowEstimate: 800}}
	p.samples = []table.Sample{{Keys: make([]table.Sampled, 50)}, {Keys: make([]table.Sampled, 3)}, {}}
	p.exact = true
	if got := p.weights(); !slices.Equal(got, []float64{100, 100, 100}) {
		t.Errorf("exact samples weigh %v", got)
	}
	p.exact = false
	got := p.weights()
	if got[0] != 100 || got[1] <= 0 || got[2] != 100 {
		t.Errorf("samples of pages weigh %v", got)
	}
}

func TestChooseStrategy_PagesOnlyForLargeScatteredTablesOrWithoutCommonOrder(t *testing.T) {
	ordered := make([]blockplan.Sample, 100)
	for i := range ordered {
		ordered[i] = blockplan.Sample{Rank: i}
	}

	disorder := slices.Clone(ordered)
	for i := range disorder {
		disorder[i].Rank = i * 37 % 100
	}

	for _, tt := range []struct {
		name    string
		samples []blockplan.Sample
		pages   int64
		hidden  bool
		byText  bool
		want    string
	}{
		{"large and in order", ordered, 100_000, false, false, plan.KeyRanges},
		{"large and scattered", disorder, 100_000, false, false, plan.Pages},
		{"small and scattered", disorder, 1_000, false, false, plan.KeyRanges},
		{"scattered, with unreadable partitions", disorder, 100_000, true, false, plan.KeyRanges},
		{"without a common order", nil, 1, false, true, plan.Pages},
		{"without a common order, through the parent", nil, 1, true, true, plan.Pages},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := plannerOf("", probed{}, probed{})
			p.plan.ByText = tt.byText
			for i := range p.plan.Sources {
				partition := table.Partition{Relation: "partition", Pages: tt.pages}
				p.plan.Sources[i].Relation = "parent"
				p.plan.Sources[i].Partitions = []table.Partition{partition}
				p.descriptions = append(p.descriptions, &table.Description{PartitionsHidden: tt.hidden, Partitions: []table.Partition{partition}})
			}

			p.chooseStrategy(tt.samples)
			if p.plan.Strategy != tt.want || (len(p.plan.Scans) > 0) != (tt.want == plan.Pages) {
				t.Fatalf("strategy %s with %d scans, want %s", p.plan.Strategy, len(p.plan.Scans), tt.want)
			}

			for node := range p.plan.Sources {
				checkScans(t, p.plan, node, tt.hidden)
			}
		})
	}
}

// checkScans verifies that a node's only partition is read from its first page to its
// open end.
func checkScans(t *testing.T, p *plan.Plan, node int, parent bool) {
	t.Helper()
	if p.Strategy != plan.Pages {
		return
	}
	if want := map[bool]string{false: "partition", true: "parent"}[parent]; p.Sources[node].Partitions[0].Relation != want {
		t.Errorf("node %d reads %s, want %s", node, p.Sources[node].Partitions[0].Relation, want)
	}

	next := int64(0)
	for _, unit := range p.Scans {
		for _, span := range unit[node] {
			if span.From != next {
				t.Errorf("node %d reads %+v after page %d", node, span, next)
			}
			next = span.To
		}
	}

	if next != -1 {
		t.Errorf("node %d is read up to page %d, not to its end", node, next)
	}
}

func TestVersionText_IsReadable(t *testing.T) {
	for num, want := range map[int]string{150018: "15.18", 180004: "18.4"} {
		if got := versionText(num); got != want {
			t.Errorf("%d is written %s, want %s", num, got, want)
		}
	}
}
