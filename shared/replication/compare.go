package replication

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"ace/shared/finding"
	"ace/shared/table"
)

// The kinds of findings. Each comment names what the findings of the kind report.
const (
	KindCluster      = "cluster"      // nodes that do not replicate at all
	KindSubscription = "subscription" // a subscription that is disabled or has no worker
	KindLag          = "lag"          // changes that arrive late
	KindCopy         = "initial_copy" // tables whose initial copy has not ended
	KindErrors       = "errors"       // changes that could not be applied
	KindConflicts    = "conflicts"    // changes that were applied differently or skipped, because the subscriber's row was not the provider's
	KindPublication  = "publication"  // a publication that does not exist, or whose settings differ between the nodes
	KindTable        = "table"        // a table that is not replicated, or that the nodes publish differently
	KindSlot         = "slot"         // a slot that is missing, inactive, unused or invalidated
	KindOrigin       = "origin"       // a replication origin of a subscription that does not exist
	KindLoop         = "loop"         // changes that return to their origin
	KindSettings     = "settings"     // two nodes whose subscriptions to each other have different settings
)

// Kinds returns all kinds of findings.
func Kinds() []string {
	return []string{
		KindCluster, KindSubscription, KindLag, KindCopy, KindErrors, KindConflicts,
		KindPublication, KindTable, KindSlot, KindOrigin, KindLoop, KindSettings,
	}
}

// Options configure a comparison.
type Options struct {
	MaxLagBytes   int64    // a subscription or slot that lags by more than this number of bytes of WAL is late
	MaxLagSeconds float64  // a subscription that lags by more than this number of seconds is late, and so is a slot that was inactive for longer
	Unread        []string // the nodes of the cluster whose state could not be read completely
	Ignore        []string // the kinds of findings that Compare leaves out
}

// Compare returns the findings about the nodes, the worst first. It also changes the
// states of the nodes. It sets Provider, LagBytes and LagSeconds of the subscriptions,
// and Subscriber and Subscription of the slots. It adds to Unknown the subscriptions
// whose provider is ambiguous. It changes the names of tables to the same text on all
// nodes.
func Compare(nodes []Node, o Options) []finding.Finding {
	unifyNames(nodes)
	c := &comparison{nodes: nodes, options: o, links: connect(nodes)}
	for _, l := range c.links {
		if !l.subscriber.InRecovery() { // the catalog of a standby has the subscriptions of its primary, but they do not run
			c.subscription(l)
		}
	}
	for _, n := range nodes {
		c.slots(n)
		c.origins(n)
	}
	c.cluster()
	c.mesh()
	c.publications()
	finding.Sort(c.found)
	return c.found
}

// InRecovery reports whether the node is a standby.
func (n Node) InRecovery() bool { return n.Server.InRecovery }

type comparison struct {
	nodes   []Node
	options Options
	links   []*link
	found   []finding.Finding
}

func (c *comparison) add(f finding.Finding) {
	if !slices.Contains(c.options.Ignore, f.Kind) {
		c.found = append(c.found, f)
	}
}

// subscription adds the findings about one subscription.
func (c *comparison) subscription(l *link) {
	c.works(l)
	c.arrives(l)
	c.counters(l)
	if l.slot == nil {
		c.missingSlot(l)
	}
	if len(l.ambiguous) > 0 {
		l.noteAmbiguous()
	}
	if !l.known() {
		return
	}

	tables, missing := l.published()
	for _, name := range missing {
		c.add(finding.Finding{
			Kind: KindPublication, Object: name, Rank: finding.Broken,
			Nodes: map[string]string{l.provider.Name: "missing", l.subscriber.Name: "subscribed by " + l.sub.Name},
			Detail: fmt.Sprintf("subscription %s on %s subscribes to %s %s, which does not exist on its provider %s: nothing of it is replicated",
				l.sub.Name, l.subscriber.Name, noun(l.sub.System), name, l.provider.Name),
		})
	}
	if l.sub.System == Native && len(missing) == 0 {
		c.subscribedTables(l, tables)
	}
}

// noteAmbiguous adds to the state of the subscriber that the provider of the subscription
// is unknown. The tables of such a subscription are not compared with its publications.
func (l *link) noteAmbiguous() {
	var names []string
	for _, n := range l.ambiguous {
		names = append(names, n.Name)
	}
	u := Unknown{
		What:   fmt.Sprintf("which node sends the changes of subscription %s, because %s have a slot %s", l.sub.Name, strings.Join(names, " and "), l.sub.Slot),
		Remedy: "give each subscription of the cluster its own slot_name",
	}
	if !slices.Contains(l.subscriber.Unknown, u) { // an earlier comparison of the same state has added it
		l.subscriber.Unknown = append(l.subscriber.Unknown, u)
	}
}

// noun returns the word for a publication in a system: publication or, for example, spock
// replication set.
func noun(system string) string {
	if system == Native {
		return "publication"
	}
	return system + " replication set"
}

// works adds a finding if the subscription is disabled or has no apply worker.
func (c *comparison) works(l *link) {
	f := finding.Finding{Kind: KindSubscription, Object: l.sub.Name, Rank: finding.Broken}
	failures := l.sub.failures()
	switch {
	case !l.sub.Enabled:
		f.Nodes = map[string]string{l.subscriber.Name: "disabled"}
		f.Detail = fmt.Sprintf("the subscription is disabled: no change arrives on %s%s", l.subscriber.Name, l.from())
		if l.sub.DisableOnError && failures > 0 {
			f.Detail += fmt.Sprintf("; it disables itself on an error, and has counted %d: the server's log has the error, which must be resolved first", failures)
			break
		}
		if statement := l.sub.enable(); statement != "" {
			f.Fix = map[string]string{l.subscriber.Name: statement}
		}
	case !l.sub.Running:
		f.Nodes = map[string]string{l.subscriber.Name: "enabled, but no apply worker runs"}
		f.Detail = fmt.Sprintf("no change arrives on %s%s; the server's log has the reason, such as an error while a change is applied, "+
			"a provider that cannot be reached, or too few workers (max_logical_replication_workers, max_worker_processes)", l.subscriber.Name, l.from())
		if failures > 0 {
			f.Detail += fmt.Sprintf("; it has counted %d errors", failures)
		}
		if l.sub.Status != "" {
			f.Detail += "; " + l.sub.System + " reports " + l.sub.Status
		}
	default:
		return
	}
	c.add(f)
}

func (l *link) from() string {
	if l.sub.Provider == "" {
		return ""
	}
	return " from " + l.sub.Provider
}

// failures returns how many errors of the subscription the server has counted, while it
// applied changes or copied tables.
func (s *Subscription) failures() (n int64) {
	for _, count := range []*int64{s.ApplyErrors, s.SyncErrors} {
		if count != nil {
			n += *count
		}
	}
	return n
}

// enable returns the statement that enables the subscription in its system.
func (s *Subscription) enable() string {
	switch s.System {
	case PGLogical:
		return "SELECT pglogical.alter_subscription_enable(" + table.Literal(s.Name) + ", true);"
	case Spock:
		return "SELECT spock.sub_enable(" + table.Literal(s.Name) + ", true);"
	}
	return "ALTER SUBSCRIPTION " + table.Quote(s.Name) + " ENABLE;"
}

// arrives adds a finding if changes are late, and another if the initial copy of a table
// has not ended.
func (c *comparison) arrives(l *link) {
	o := c.options
	var late []string
	if l.sub.LagBytes != nil && *l.sub.LagBytes > o.MaxLagBytes {
		late = append(late, size(*l.sub.LagBytes)+" of WAL")
	}
	if l.sub.LagSeconds != nil && *l.sub.LagSeconds > o.MaxLagSeconds {
		late = append(late, fmt.Sprintf("%.0f s", *l.sub.LagSeconds))
	}
	if len(late) > 0 {
		c.add(finding.Finding{
			Kind: KindLag, Object: l.sub.Name, Rank: finding.Behind,
			Nodes:  map[string]string{l.subscriber.Name: "late by " + strings.Join(late, ", ")},
			Detail: fmt.Sprintf("changes of %s have not arrived on %s yet: rows differ until they have", l.provider.Name, l.subscriber.Name),
		})
	}

	var unready []string
	for _, t := range l.sub.Tables {
		if !t.isReady() {
			unready = append(unready, t.Table)
		}
	}
	if len(unready) > 0 {
		c.add(finding.Finding{
			Kind: KindCopy, Object: l.sub.Name, Rank: finding.Behind,
			Nodes: map[string]string{l.subscriber.Name: fmt.Sprintf("%d of %d tables not ready", len(unready), len(l.sub.Tables))},
			Detail: "the initial copy has not ended, and the changes of these tables wait for it: " + list(unready) +
				"; if it does not advance, the server's log has the reason",
		})
	}
}

// counters adds findings about the errors and conflicts that the server has counted.
func (c *comparison) counters(l *link) {
	since := ""
	if l.sub.CountedSince != "" {
		since = " since " + l.sub.CountedSince
	}
	reset := map[string]string{l.subscriber.Name: "SELECT pg_catalog.pg_stat_reset_subscription_stats(oid) FROM pg_catalog.pg_subscription WHERE subname = " + table.Literal(l.sub.Name) + ";"}
	if n := l.sub.failures(); n > 0 && l.sub.Enabled && l.sub.Running {
		c.add(finding.Finding{
			Kind: KindErrors, Object: l.sub.Name, Rank: finding.Behind,
			Nodes: map[string]string{l.subscriber.Name: fmt.Sprintf("%d errors%s", n, since)},
			Detail: "the worker has failed and was started again: an error that repeats stops all changes of the subscription; " +
				"the server's log has the errors; reset the counters when they are resolved",
			Fix: reset,
		})
	}

	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(l.sub.Conflicts)) {
		if n := l.sub.Conflicts[kind]; n > 0 {
			kinds = append(kinds, fmt.Sprintf("%s %d", kind, n))
		}
	}
	if len(kinds) > 0 {
		c.add(finding.Finding{
			Kind: KindConflicts, Object: l.sub.Name, Rank: finding.Asymmetric,
			Nodes: map[string]string{l.subscriber.Name: strings.Join(kinds, ", ") + since},
			Detail: "changes met other rows than on the provider, and were skipped, overwrote another change, or failed: " +
				"rows may differ; compare the tables, and reset the counters afterwards",
			Fix: reset,
		})
	}
}

// missingSlot adds a finding about a subscription that has no slot name, or whose slot
// was not found on a likely provider. It adds none if the worker is running, because
// then the slot exists on a server that is not in the cluster.
func (c *comparison) missingSlot(l *link) {
	if l.sub.Running || len(l.likely) == 0 && l.sub.Slot != "" {
		return
	}
	f := finding.Finding{Kind: KindSlot, Object: l.sub.Slot, Rank: finding.Broken, Nodes: map[string]string{l.subscriber.Name: "used by " + l.sub.Name}}
	if l.sub.Slot == "" {
		f.Object, f.Nodes[l.subscriber.Name] = l.sub.Name, "no slot is set"
		f.Detail = fmt.Sprintf("subscription %s has no slot (slot_name = NONE), so it cannot receive changes", l.sub.Name)
		c.add(f)
		return
	}

	var names []string
	for _, n := range l.likely {
		names = append(names, n.Name)
		f.Nodes[n.Name] = "missing"
	}
	f.Detail = fmt.Sprintf("subscription %s on %s uses this slot, but %s, which publishes what it subscribes to, does not have it: "+
		"changes since the slot was dropped are lost; create the subscription again, and compare its tables", l.sub.Name, l.subscriber.Name, strings.Join(names, " or "))
	if len(c.options.Unread) > 0 {
		f.Detail += "; or the provider is " + strings.Join(c.options.Unread, " or ") + ", which could not be read"
	}
	c.add(f)
}

// subscribedTables compares the tables that the provider publishes with those of the
// subscription.
func (c *comparison) subscribedTables(l *link, published map[string][]*PublishedTable) {
	subscribed := map[string]bool{}
	for _, t := range l.sub.Tables {
		subscribed[t.Table] = true
	}

	refresh := map[string]string{l.subscriber.Name: "ALTER SUBSCRIPTION " + table.Quote(l.sub.Name) + " REFRESH PUBLICATION WITH (copy_data = false);"}
	for _, name := range slices.Sorted(maps.Keys(published)) {
		if subscribed[name] {
			continue
		}
		c.add(finding.Finding{
			Kind: KindTable, Object: name, Rank: finding.Broken,
			Nodes: map[string]string{l.provider.Name: "published", l.subscriber.Name: "not part of " + l.sub.Name},
			Detail: fmt.Sprintf("%s publishes the table to %s, but the subscription was not refreshed since: its changes are not applied; "+
				"with copy_data = false existing rows are not copied, so compare and repair the table afterwards", l.provider.Name, l.subscriber.Name),
			Fix: refresh,
		})
	}
	for _, t := range l.sub.Tables {
		if published[t.Table] == nil {
			c.add(finding.Finding{
				Kind: KindTable, Object: t.Table, Rank: finding.Broken,
				Nodes: map[string]string{l.provider.Name: "not published", l.subscriber.Name: "part of " + l.sub.Name},
				Detail: fmt.Sprintf("%s does not publish the table any more, although %s still has it: its changes do not arrive on %s",
					l.provider.Name, l.sub.Name, l.subscriber.Name),
			})
		}
	}
}

// size returns a number of bytes as text, such as 16 MiB.
func size(bytes int64) string { return humanize.IBytes(uint64(max(bytes, 0))) }

// list joins the first names of a list, and adds how many more there are, as in "a, b and
// 5 more".
func list(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// Confirmed returns those findings in later for which earlier has a finding with the same
// kind, rank, object and nodes. The other texts of the two may differ.
func Confirmed(earlier, later []finding.Finding) []finding.Finding {
	seen := map[string]bool{}
	for _, f := range earlier {
		seen[identity(f)] = true
	}
	return slices.DeleteFunc(slices.Clone(later), func(f finding.Finding) bool { return !seen[identity(f)] })
}

func identity(f finding.Finding) string {
	return strings.Join(append([]string{f.Kind, f.Object, string(f.Rank)}, slices.Sorted(maps.Keys(f.Nodes))...), "\x00")
}
