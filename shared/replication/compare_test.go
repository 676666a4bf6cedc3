package replication_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/shared/api"
	"ace/shared/finding"
	"ace/shared/replication"
)

// node returns a node that publishes table public.t in publication p.
func node(name string, subscriptions ...replication.Subscription) replication.Node {
	return replication.Node{Name: name, State: &replication.State{
		Server:        replication.Server{Database: "shop", VersionNum: 180000},
		Publications:  []replication.Publication{{System: replication.Native, Name: "p", Operations: "insert", Tables: []replication.PublishedTable{{Table: "public.t"}}}},
		Subscriptions: subscriptions,
	}}
}

// reader returns a node that publishes nothing.
func reader(name string, subscriptions ...replication.Subscription) replication.Node {
	n := node(name, subscriptions...)
	n.Publications = nil
	return n
}

// with adds active slots to a node.
func with(n replication.Node, slots ...string) replication.Node {
	for _, slot := range slots {
		n.Slots = append(n.Slots, replication.Slot{Name: slot, Type: "logical", Active: true, LagBytes: new(int64)})
	}
	return n
}

// sub returns a subscription that works.
func sub(slot string) replication.Subscription {
	return replication.Subscription{
		System: replication.Native, Name: slot, Enabled: true, Running: true, Slot: slot, Publications: []string{"p"}, Origin: "none",
		Tables: []replication.SubscribedTable{{Table: "public.t", State: "r"}},
	}
}

func changed(s replication.Subscription, change func(*replication.Subscription)) replication.Subscription {
	change(&s)
	return s
}

func TestCompare_Topologies(t *testing.T) {
	anyOrigin := func(s *replication.Subscription) { s.Origin = "any" }
	standby := reader("n2", changed(sub("a"), func(s *replication.Subscription) { s.Running = false }))
	standby.Server.InRecovery = true
	filtered := with(node("n2", sub("a")), "b")
	filtered.Publications[0].Tables[0].RowFilter = "(id > 0)"
	old := with(node("n2", changed(sub("a"), anyOrigin)), "b")
	old.Server.VersionNum = 150000

	for name, test := range map[string]struct {
		nodes  []replication.Node
		unread []string
		want   []string
	}{
		"two nodes that replicate to each other": {nodes: []replication.Node{with(node("n1", sub("b")), "a"), with(node("n2", sub("a")), "b")}},
		"three nodes, two of which have slots of the same name": {nodes: []replication.Node{
			with(node("n1", sub("a"), sub("31")), "12", "13"), with(node("n2", sub("12"), sub("32")), "a", "23"), with(node("n3", sub("13"), sub("23")), "31", "32"),
		}},
		"a reader":                      {nodes: []replication.Node{with(node("n1"), "a"), reader("n2", sub("a"))}},
		"a standby":                     {nodes: []replication.Node{with(node("n1"), "a"), standby}},
		"a provider outside":            {nodes: []replication.Node{reader("n1", sub("x")), reader("n2", sub("y"))}},
		"nodes that do not replicate":   {nodes: []replication.Node{node("n1"), node("n2")}, want: []string{"broken cluster shop"}},
		"the other end is not read":     {nodes: []replication.Node{node("n1")}, unread: []string{"n2"}},
		"a third node that is left out": {nodes: []replication.Node{with(node("n1"), "a"), reader("n2", sub("a")), reader("n3")}, want: []string{"asymmetric cluster n3"}},
		"a direction that is missing":   {nodes: []replication.Node{with(node("n1"), "a"), node("n2", sub("a"))}, want: []string{"asymmetric subscription a"}},
		"a missing slot": {
			nodes: []replication.Node{node("n1"), reader("n2", changed(sub("a"), func(s *replication.Subscription) { s.Running = false }))},
			want:  []string{"broken slot a", "broken subscription a", "asymmetric cluster n1"},
		},
		"a publication that does not exist": {
			nodes: []replication.Node{with(reader("n1"), "a"), reader("n2", sub("a"))}, want: []string{"broken publication p"},
		},
		"a loop": {
			nodes: []replication.Node{with(node("n1", changed(sub("b"), anyOrigin)), "a"), with(node("n2", changed(sub("a"), anyOrigin)), "b")},
			want:  []string{"broken loop a", "broken loop b"},
		},
		"a loop of an old version": {
			nodes: []replication.Node{with(node("n1", sub("b")), "a"), old}, want: []string{"broken loop a"},
		},
		"a row filter on one node": {nodes: []replication.Node{with(node("n1", sub("b")), "a"), filtered}, want: []string{"asymmetric table public.t"}},
		"errors that are over": {
			nodes: []replication.Node{with(node("n1"), "a"), reader("n2", changed(sub("a"), func(s *replication.Subscription) { n := int64(3); s.ApplyErrors = &n }))},
			want:  []string{"behind errors a"},
		},
	} {
		got := []string{}
		for _, f := range replication.Compare(test.nodes, replication.Options{Unread: test.unread}) {
			got = append(got, fmt.Sprintf("%s %s %s", f.Rank, f.Kind, f.Object))
			if f.Detail == "" || len(f.Nodes) == 0 {
				t.Errorf("%s: no reason: %+v", name, f)
			}
		}
		if diff := cmp.Diff(append([]string{}, test.want...), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Servers of different versions print a name with and without quotes. Compare treats both
// texts as the same table, so there is no finding.
func TestCompare_JoinsATableWithTwoTexts(t *testing.T) {
	named := func(n replication.Node, text string) replication.Node {
		n.Publications[0].Tables = []replication.PublishedTable{{Table: "public.a"}, {Table: text}}
		slices.SortFunc(n.Publications[0].Tables, func(a, b replication.PublishedTable) int { return strings.Compare(a.Table, b.Table) })
		for i := range n.Subscriptions {
			n.Subscriptions[i].Tables = []replication.SubscribedTable{{Table: "public.a", State: "r"}, {Table: text, State: "r"}}
		}
		return n
	}
	nodes := []replication.Node{
		named(with(node("n1", sub("b")), "a"), "public.json"), named(with(node("n2", sub("a")), "b"), `public."json"`),
	}
	if found := replication.Compare(nodes, replication.Options{}); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

// If two nodes have a slot with the name of the subscription's slot, the provider is
// unknown. The state of the subscriber reports this once.
func TestCompare_ReportsAnAmbiguousProviderAsUnknown(t *testing.T) {
	nodes := []replication.Node{with(node("n1"), "a"), with(node("n2"), "a"), reader("n3", sub("a"))}
	want := []replication.Unknown{{
		What: "which node sends the changes of subscription a, because n1 and n2 have a slot a", Remedy: "give each subscription of the cluster its own slot_name",
	}}
	for range 2 {
		replication.Compare(nodes, replication.Options{})
		if diff := cmp.Diff(want, nodes[2].Unknown); diff != "" || len(nodes[0].Unknown)+len(nodes[1].Unknown) > 0 {
			t.Errorf("unknown on n3 (-want +got):\n%s, on n1 and n2: %v %v", diff, nodes[0].Unknown, nodes[1].Unknown)
		}
	}
}

func TestConfirmed_KeepsWhatIsFoundTwice(t *testing.T) {
	slot := func(node, state string) finding.Finding {
		return finding.Finding{Kind: "slot", Object: "a", Rank: finding.Behind, Nodes: map[string]string{node: state}}
	}
	got := replication.Confirmed([]finding.Finding{slot("n1", "inactive for 1 s")}, []finding.Finding{slot("n1", "inactive for 3 s"), slot("n2", "inactive")})
	if diff := cmp.Diff([]finding.Finding{slot("n1", "inactive for 3 s")}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The API accepts the kinds that exist, and no others.
func TestKinds_AreThoseOfTheAPI(t *testing.T) {
	request := api.NewReplicationDiffRequest()
	request.ClusterName = "demo"
	request.Ignore = replication.Kinds()
	if err := request.Validate(); err != nil {
		t.Error(err)
	}
	for _, o := range api.Operations() {
		for _, p := range o.Params {
			if want := "some of " + strings.Join(replication.Kinds(), ", "); o.Name == "replication-diff" && p.Name == "ignore" && p.Allowed != want {
				t.Errorf("the API has %s, want %s", p.Allowed, want)
			}
		}
	}
}
