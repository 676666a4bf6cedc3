package plan

import (
	"slices"
	"strconv"
	"testing"

	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/blockplan"
	"ace/shared/fault"
	"ace/shared/table"
)

func TestScanListLimit_IsBoundedByBlockRowsMemoryAndTime(t *testing.T) {
	for _, tt := range []struct {
		blockRows, want int64
		partitions      []table.Partition
	}{
		{1000, 10_000, nil},
		{10_000, MaxScanListed, []table.Partition{{Pages: maxScanPages - 1}, {Pages: 1}}},
		{1_000_000, MaxScanListed, nil},
		{10_000, 0, []table.Partition{{Pages: maxScanPages}, {Pages: 1}}},
	} {
		p := &Plan{BlockRows: tt.blockRows, Sources: []table.Source{{}, {Partitions: tt.partitions}}}
		if got := p.ScanListLimit(); got != tt.want {
			t.Errorf("with block_rows %d and %+v one pass lists %d rows, want %d", tt.blockRows, tt.partitions, got, tt.want)
		}
		if p.ByText = true; p.ScanListLimit() != MaxScanListed {
			t.Errorf("with %+v no pass may list rows that no index orders", tt.partitions)
		}
	}
}

func TestPlan_PairsAreInClusterOrder(t *testing.T) {
	p := samplePlan(1, "n3", "n1", "n2")
	var names []string
	for _, pair := range p.Pairs() {
		names = append(names, p.PairName(pair))
	}
	if want := []string{"n3/n1", "n3/n2", "n1/n2"}; !slices.Equal(names, want) {
		t.Errorf("pairs are %v, want %v", names, want)
	}
}

func TestDescribeRange_IsReadable(t *testing.T) {
	lo, hi := table.Key{"a"}, table.Key{"b"}
	for want, r := range map[string]table.Range{
		"the whole table":                {},
		"keys below ('b')":               {Hi: hi},
		"keys from ('a')":                {Lo: lo},
		"keys from ('a') to below ('b')": {Lo: lo, Hi: hi},
	} {
		if got := DescribeRange(r); got != want {
			t.Errorf("%v is described as %q, want %q", r, got, want)
		}
	}
}

func TestLocate_AddsThePlaceAndKeepsTheCode(t *testing.T) {
	p := samplePlan(3, "n1", "n2")
	u := Unit{Phase: PhaseCompare, From: 1, To: 2}
	for _, code := range []fault.Code{fault.Unavailable, fault.Invalid, fault.Conflict, fault.Internal, fault.Cancelled} {
		err := p.Locate(fault.New(code, "no"), u)
		if fault.CodeOf(err) != code {
			t.Errorf("%s became %s", code, fault.CodeOf(err))
		}

		said := fault.PublicMessage(err) == "no (keys from ('10') to below ('20'))"
		if internal := code == fault.Internal || code == fault.Cancelled; said == internal {
			t.Errorf("the message of %s is %q", code, fault.PublicMessage(err))
		}
	}

	if p.Locate(nil, u) != nil {
		t.Error("no error became one")
	}

	p.Sources = []table.Source{{Partitions: []table.Partition{{Relation: "a"}, {Relation: "b"}}}, {Partitions: []table.Partition{{Relation: "c"}}}}
	p.Scans = [][][]table.PageRange{{{{Partition: 0, From: 5, To: 6}, {Partition: 0, From: 6, To: -1}, {Partition: 1, To: 4}, {Partition: 1, From: 4, To: 7}}, {{Partition: 0, From: 2, To: 9}}}}
	for _, phase := range []string{PhaseBuckets, PhaseScan, PhaseChanged, PhaseAges} {
		err := p.Locate(fault.New(fault.Invalid, "no"), Unit{Phase: phase})
		const want = "no (the pages of a from 5 and 1 more relations on n1, the pages of c from 2 to below 9 on n2)"
		if fault.PublicMessage(err) != want {
			t.Errorf("%s: the message is %q, want %q", phase, fault.PublicMessage(err), want)
		}
	}
}

func TestStore_TheFirstPlanCounts(t *testing.T) {
	store := memstore.New(t)
	first := &Plan{Format: Format, TaskID: "td_1", Table: "a"}
	second := &Plan{Format: Format, TaskID: "td_1", Table: "b"}
	stored, err := Store(t.Context(), store, first)
	if err != nil {
		t.Fatal(err)
	}

	again, err := Store(t.Context(), store, second)
	if err != nil || again.Table != "a" || again.Hash() != stored.Hash() {
		t.Errorf("storing the second plan returns %+v, error %v; want the first", again, err)
	}

	for id, body := range map[string]string{
		"td_2": `{"format":"ace-plan/0","task_id":"td_2"}`,
		"td_3": `{"format":"ace-plan/1","task_id":"td_9"}`,
		"td_4": `{"format":`,
	} {
		if _, err := store.Put(t.Context(), archive.PlanKey(id), "application/json", []byte(body)); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(t.Context(), store, id); fault.CodeOf(err) != fault.Internal {
			t.Errorf("%s is read with error %v, want an Internal one", body, err)
		}
	}
}

// samplePlan returns a plan with this many chunks, two to a block.
func samplePlan(chunks int, nodes ...string) *Plan {
	p := &Plan{TaskID: "td_1", Nodes: nodes, BlockRows: 1000, Layout: blockplan.Layout{ChunksPerBlock: 2, BlocksPerBatch: 1}, hash: "h"}
	for i := 1; i < chunks; i++ {
		p.Layout.Bounds = append(p.Layout.Bounds, table.Key{strconv.Itoa(10 * i)})
	}
	return p
}
