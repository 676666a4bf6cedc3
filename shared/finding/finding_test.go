package finding_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/shared/finding"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// every has one finding of each rank, the worst first, with and without optional members.
func every() []finding.Finding {
	return []finding.Finding{
		{
			Kind: "column", Object: `public."Order".note`, Rank: finding.Blocks,
			Nodes: map[string]string{"n1": "text", "n2": "character varying(10)"}, Detail: "n2 rejects values that n1 accepts",
			Fix: map[string]string{"n2": `ALTER TABLE public."Order" ALTER COLUMN note TYPE text;`},
		},
		{Kind: "subscription", Object: "from_n1", Rank: finding.Broken, Nodes: map[string]string{"n2": "disabled"}, Detail: "no worker applies changes"},
		{
			Kind: "sequence", Object: "public.t_id_seq", Rank: finding.Drifts, Nodes: map[string]string{"n1": "4711", "n2": "1"},
			Fix: map[string]string{"n2": "SELECT pg_catalog.setval('public.t_id_seq', 4711, true);"},
		},
		{Kind: "subscription", Object: "from_n2", Rank: finding.Behind, Nodes: map[string]string{"n1": "90 s"}},
		{Kind: "publication", Object: "all_tables", Rank: finding.Asymmetric, Nodes: map[string]string{"n1": "present", "n2": "missing"}},
		{Kind: "index", Object: "public.t_a_idx", Rank: finding.Differs, Nodes: map[string]string{"n1": "btree (a)", "n2": "missing"}},
		{Kind: "slot", Object: "spare", Rank: finding.Different},
	}
}

func TestFinding_JSON(t *testing.T) {
	const golden = "testdata/findings.json"
	got, err := json.MarshalIndent(every(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("JSON (-golden +got):\n%s", diff)
	}

	// Documents must stay readable: the golden file is decoded, too.
	var read []finding.Finding
	decoder := json.NewDecoder(bytes.NewReader(want))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(every(), read); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestSort_PutsTheWorstFirstInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		got := rapid.Permutation(every()).Draw(t, "order")
		finding.Sort(got)
		if diff := cmp.Diff(every(), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestCount_CountsEachRank(t *testing.T) {
	twice := append(every(), every()[0])
	got := finding.Count(twice)
	for _, rank := range finding.Ranks() {
		want := 1
		if rank == finding.Blocks {
			want = 2
		}
		if got[rank] != want {
			t.Errorf("%d findings of rank %s, want %d", got[rank], rank, want)
		}
	}
	if len(got) != len(finding.Ranks()) {
		t.Errorf("counts %v", got)
	}
}

func TestRank_AnUnknownRankIsTheWorst(t *testing.T) {
	ranks := append(finding.Ranks(), "invented")
	slices.SortFunc(ranks, finding.Rank.Compare)
	if ranks[0] != "invented" || ranks[0].Compare(finding.Blocks) >= 0 || finding.Blocks.Compare(finding.Blocks) != 0 {
		t.Errorf("order %v", ranks)
	}
}
