package tablediff

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ace/shared/blockplan"
	"ace/shared/table"
)

// sequentialPlanner returns a planner for a table of 80,000 pages in key order, twice the
// size of the shared buffers, whose key has this type.
func sequentialPlanner(orderType string) *planner {
	p := plannerOf("", probed{}, probed{})
	for i := range p.plan.Sources {
		p.plan.Sources[i].ScalarOrder = orderType != ""
		p.plan.Sources[i].OrderType = []string{orderType}
		p.plan.Sources[i].Partitions = []table.Partition{{Relation: "t", Pages: 80_000}}
		p.descriptions = append(p.descriptions, &table.Description{RowEstimate: 20_000_000, SharedBuffers: 40_000})
	}
	p.most, p.estimates = 20_000_000, []int64{20_000_000, 20_000_000}
	p.size = blockplan.SizeFor(p.most, 10_000)
	p.request.scanLimit = scanLimit{statement: time.Minute, snapshot: time.Minute}
	return p
}

// This tests every condition except those that need samples (see isSequentialUseful).
func TestSequential_IsChosenOnlyIfItIsCheapAndHarmless(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(p *planner)
		auto   bool
		why    string // with always
	}{
		"a large table":                         {func(*planner) {}, true, ""},
		"one is a standby":                      {func(p *planner) { p.descriptions[1].Standby = true }, false, ""},
		"shared buffers of four times its size": {func(p *planner) { p.descriptions[1].SharedBuffers = 320_001 }, false, ""},
		"small partitions": {func(p *planner) {
			p.plan.Sources[1].Partitions = slices.Repeat([]table.Partition{{Pages: 9_000}}, 9)
		}, false, ""},
		"a filter that selects little": {func(p *planner) { p.estimates[1] = 9_000_000 }, false, ""},
		"a composite key, many blocks": {func(p *planner) { *p = *sequentialPlanner("") }, false, "set block_rows to 19532 or more"},
		"a text key, few blocks": {func(p *planner) {
			*p = *sequentialPlanner("pg_catalog.text")
			p.size = blockplan.SizeFor(p.most, 20_000)
		}, false, ""},
		"many blocks": {func(p *planner) {
			p.most = 100_000_000
			p.size = blockplan.SizeFor(p.most, 1_000)
		}, false, "set block_rows to 1526 or more"},
		"a composite key, too many blocks with any block_rows": {func(p *planner) {
			*p = *sequentialPlanner("")
			p.most = 2_000_000_000
			p.size = blockplan.SizeFor(p.most, maxBlockRows)
		}, false, "among 2000 takes too long, and so it does with the largest block_rows, 1000000"},
		"more than one statement may":  {func(p *planner) { p.request.scanLimit.statement = 31 * time.Second }, false, "might take longer"},
		"more than a snapshot may":     {func(p *planner) { p.request.scanLimit.snapshot = 31 * time.Second }, false, ""},
		"no index orders rows alike":   {func(p *planner) { p.plan.ByText = true }, false, "no index"},
		"partitions that are readable": {func(p *planner) { p.descriptions[0].PartitionsHidden = true }, false, "cannot be read one by one"},
	} {
		p := sequentialPlanner("bigint")
		tt.change(p)
		if auto := p.whyNoSequential(false) == "" && p.leavesRoom(); auto != tt.auto {
			t.Errorf("%s: auto chooses %t", name, auto)
		}
		if why := p.whyNoSequential(true); (why == "") != (tt.why == "") || !strings.Contains(why, tt.why) {
			t.Errorf("%s: %q, want %q", name, why, tt.why)
		}
	}
}
