package replication

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ace/shared/finding"
	"ace/shared/table"
)

// cluster adds findings about nodes that do not take part in the replication.
func (c *comparison) cluster() {
	if len(c.options.Unread) > 0 { // an unread node may send changes to a node that looks alone, or receive from it
		return
	}
	alone := map[string]string{}
	for _, n := range c.nodes {
		sends := slices.ContainsFunc(n.Slots, func(s Slot) bool { return s.Active || s.Subscription != "" })
		receives := len(n.Subscriptions) > 0 || n.InRecovery()
		if !sends && !receives {
			alone[n.Name] = "no subscription, and no slot that is in use"
		}
	}
	switch {
	case len(alone) == 0:
	case len(alone) == len(c.nodes):
		c.add(finding.Finding{
			Kind: KindCluster, Object: c.nodes[0].Server.Database, Rank: finding.Broken, Nodes: alone,
			Detail: "no node replicates to another: changes stay on the node where they are made, unless something other than the server replicates them",
		})
	default:
		for node, state := range alone {
			c.add(finding.Finding{
				Kind: KindCluster, Object: node, Rank: finding.Asymmetric, Nodes: map[string]string{node: state},
				Detail: "the node neither sends changes nor receives any, although other nodes of the cluster do",
			})
		}
	}
}

// mesh adds findings about each pair of nodes that replicate in both directions. It also
// adds findings about pairs that replicate in one direction although they seem to be set
// up for both.
func (c *comparison) mesh() {
	for i, a := range c.nodes {
		for _, b := range c.nodes[i+1:] {
			there, back := between(c.links, a.Name, b.Name), between(c.links, b.Name, a.Name)
			switch {
			case len(there) > 0 && len(back) > 0:
				c.loops(there, back)
				c.settings(there, back)
			case len(there) > 0:
				c.oneWay(there, a, b)
			case len(back) > 0:
				c.oneWay(back, b, a)
			}
		}
	}
}

// oneWay adds a finding if changes of a table arrive in one direction only, although both
// nodes publish the table. there has the links with the provider from and the subscriber
// to. The caller must have checked that there is no link in the opposite direction.
func (c *comparison) oneWay(there []*link, from, to Node) {
	if receivesFromUnknown(c.links, from.Name) {
		return // the unknown provider may be the node to
	}
	for _, l := range there {
		received, _ := l.published()
		for _, p := range to.Publications {
			if p.System != l.sub.System || !slices.ContainsFunc(p.Tables, func(t PublishedTable) bool { return received[t.Table] != nil }) {
				continue
			}
			c.add(finding.Finding{
				Kind: KindSubscription, Object: l.sub.Name, Rank: finding.Asymmetric,
				Nodes: map[string]string{to.Name: "subscribes to " + from.Name, from.Name: "does not subscribe to " + to.Name},
				Detail: fmt.Sprintf("%s publishes tables of this subscription in %s %s, but %s does not subscribe to them: changes made on %s do not arrive on %s",
					to.Name, noun(p.System), p.Name, from.Name, to.Name, from.Name),
			})
			return
		}
	}
}

// loops adds a finding for each subscription through which a node receives its own
// changes back: the provider sends changes of any origin, and receives changes of the
// same tables from the subscriber. there and back have the links of two nodes, in the two
// directions.
func (c *comparison) loops(there, back []*link) {
	for _, l := range slices.Concat(there, back) {
		if l.sub.Origin == "none" || !l.sub.Enabled {
			continue
		}
		opposite := back
		if slices.Contains(back, l) {
			opposite = there
		}
		received, _ := l.published()
		for _, o := range opposite {
			sent, _ := o.published()
			if looping := loopingTables(received, sent); o.sub.Enabled && len(looping) > 0 {
				c.loop(l, o, looping)
				break
			}
		}
	}
}

// loopingTables returns the tables that are in both received and sent. It omits a table
// if all publications of the table in received, or all in sent, have a row filter,
// because the filter may end the loop.
func loopingTables(received, sent map[string][]*PublishedTable) []string {
	filtered := func(in []*PublishedTable) bool {
		return !slices.ContainsFunc(in, func(t *PublishedTable) bool { return t.RowFilter == "" })
	}
	var looping []string
	for _, name := range slices.Sorted(maps.Keys(received)) {
		if other := sent[name]; other != nil && !filtered(other) && !filtered(received[name]) {
			looping = append(looping, name)
		}
	}
	return looping
}

func (c *comparison) loop(l, opposite *link, tables []string) {
	f := finding.Finding{
		Kind: KindLoop, Object: l.sub.Name, Rank: finding.Broken,
		Nodes: map[string]string{l.subscriber.Name: "receives changes of any origin from " + l.provider.Name},
		Detail: fmt.Sprintf("%s also sends the changes that it received from %s (subscription %s), so they return to where they were made, "+
			"and fail there or overwrite newer changes: %s", l.provider.Name, l.subscriber.Name, opposite.sub.Name, list(tables)),
	}
	switch {
	case l.sub.System != Native:
		f.Detail += "; set forward_origins to '{}'"
	case l.subscriber.Server.VersionNum >= 160000 && l.provider.Server.VersionNum >= 160000:
		f.Fix = map[string]string{l.subscriber.Name: "ALTER SUBSCRIPTION " + table.Quote(l.sub.Name) + " SET (origin = none);"}
	default:
		f.Detail += "; PostgreSQL 16 and newer can leave out such changes (origin = none)"
	}
	c.add(f)
}

// settings adds a finding for each setting that differs between the subscriptions of two
// nodes to each other.
func (c *comparison) settings(there, back []*link) {
	if len(there) != 1 || len(back) != 1 || there[0].sub.System != back[0].sub.System {
		return
	}
	a, b := there[0], back[0]
	for _, setting := range []struct {
		name  string
		value func(*Subscription) string
		since int // server_version_num of the first version that has the setting; 0 if all versions have it
	}{
		{"origin", func(s *Subscription) string { return s.Origin }, 160000},
		{"two_phase", func(s *Subscription) string { return s.TwoPhase }, 150000},
		{"binary", func(s *Subscription) string { return fmt.Sprint(s.Binary) }, 0},
		{"streaming", func(s *Subscription) string { return s.Streaming }, 0},
		{"disable_on_error", func(s *Subscription) string { return fmt.Sprint(s.DisableOnError) }, 150000},
	} {
		if min(a.subscriber.Server.VersionNum, b.subscriber.Server.VersionNum) < setting.since || setting.value(a.sub) == setting.value(b.sub) {
			continue
		}
		c.add(finding.Finding{
			Kind: KindSettings, Object: a.sub.Name + ", " + b.sub.Name, Rank: finding.Different,
			Nodes: map[string]string{
				a.subscriber.Name: a.sub.Name + ": " + setting.value(a.sub), b.subscriber.Name: b.sub.Name + ": " + setting.value(b.sub),
			},
			Detail: fmt.Sprintf("the subscriptions of the two nodes to each other have different values of %s", setting.name),
		})
	}
}

// publications compares the publications that have the same name on several nodes.
func (c *comparison) publications() {
	type key struct{ system, name string }
	owners := map[key][]Node{}
	for _, n := range c.nodes {
		for _, p := range n.Publications {
			if k := (key{p.System, p.Name}); !n.InRecovery() {
				owners[k] = append(owners[k], n)
			}
		}
	}
	for k, nodes := range owners {
		if len(nodes) > 1 {
			c.publication(k.system, k.name, nodes)
		}
	}
}

// publication compares one publication on the nodes that have it.
func (c *comparison) publication(system, name string, nodes []Node) {
	tables := map[string]bool{}
	operations, root, generated := map[string]string{}, map[string]string{}, map[string]string{}
	for _, n := range nodes {
		p := n.publication(system, name)
		operations[n.Name], root[n.Name] = p.Operations, fmt.Sprint(p.ViaPartitionRoot)
		if p.GeneratedColumns != "" {
			generated[n.Name] = p.GeneratedColumns
		}
		for _, t := range p.Tables {
			tables[t.Table] = true
		}
	}
	c.unlike(KindPublication, name, "operations", "some changes are replicated in one direction only", operations)
	c.unlike(KindPublication, name, "publish_via_partition_root", "changes of partitions are sent under another name in one direction", root)
	c.unlike(KindPublication, name, "publish_generated_columns", "generated columns are sent in one direction only", generated)

	for _, table := range slices.Sorted(maps.Keys(tables)) {
		has, filters, columns := map[string]string{}, map[string]string{}, map[string]string{}
		for _, n := range nodes {
			t := n.publication(system, name).table(table)
			if t == nil {
				has[n.Name] = "not in " + name
				continue
			}
			has[n.Name] = "in " + name
			filters[n.Name] = cmp.Or(t.RowFilter, "none")
			columns[n.Name] = cmp.Or(strings.Join(t.Columns, ", "), "all")
		}
		c.unlike(KindTable, table, noun(system)+" "+name, "changes of the table are replicated in one direction only", has)
		c.unlike(KindTable, table, "row filter in "+name, "changes of some rows are replicated in one direction only", filters)
		c.unlike(KindTable, table, "column list in "+name, "changes of some columns are replicated in one direction only", columns)
	}
}

// unlike adds a finding if the values of the nodes are not all equal. values has the
// value of each node. what is the name of the compared property, such as "operations",
// and consequence is the effect of the difference.
func (c *comparison) unlike(kind, object, what, consequence string, values map[string]string) {
	different := map[string]bool{}
	for _, value := range values {
		different[value] = true
	}
	if len(different) < 2 {
		return
	}
	c.add(finding.Finding{
		Kind: kind, Object: object, Rank: finding.Asymmetric, Nodes: values,
		Detail: fmt.Sprintf("%s differs between the nodes: %s", what, consequence),
	})
}
