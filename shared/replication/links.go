package replication

import (
	"slices"
	"strings"
)

// link is a subscription with its place in the cluster.
type link struct {
	subscriber Node
	sub        *Subscription
	// provider is the node that sends the changes. provider.State is nil if it is not known,
	// because it is no node of the cluster, because it could not be read, or because several
	// nodes have a slot of this name.
	provider Node
	slot     *Slot // on the provider; nil if it does not exist or is not known
	// likely are the nodes that have all publications of the subscription, if no node has
	// its slot.
	likely []Node
}

func compareText(a, b string) int { return strings.Compare(a, b) }

// connect finds the provider and the slot of each subscription. A subscription does not
// reveal its provider, because the connection string is secret. So the name of the slot,
// which is unique on a server, identifies the provider. The subscriptions of an extension
// also have the name of the provider.
func connect(nodes []Node) []*link {
	var links []*link
	for _, n := range nodes {
		for i := range n.Subscriptions {
			links = append(links, &link{subscriber: n, sub: &n.Subscriptions[i]})
		}
	}

	// A slot serves one subscription. So if only one slot fits a subscription, the slot does
	// not fit any other.
	used := map[*Slot]bool{}
	for again := true; again; {
		again = false
		for _, l := range links {
			if l.slot != nil {
				continue
			}
			if found := l.candidates(nodes, used); len(found) == 1 {
				l.use(found[0])
				used[l.slot] = true
				again = true
			}
		}
	}
	for _, l := range links {
		if l.slot == nil && len(l.candidates(nodes, used)) == 0 {
			l.guess(nodes)
		}
	}
	return links
}

// candidates returns the nodes that have an unused slot which fits the subscription.
func (l *link) candidates(nodes []Node, used map[*Slot]bool) []Node {
	var found []Node
	for _, n := range nodes {
		if n.Name == l.subscriber.Name || l.sub.Slot == "" {
			continue
		}
		if l.sub.ProviderName != "" && n.nameIn(l.sub.System) != l.sub.ProviderName {
			continue
		}
		if slot := n.slot(l.sub.Slot); slot != nil && !used[slot] {
			found = append(found, n)
		}
	}
	return found
}

// use makes n the provider of the subscription.
func (l *link) use(n Node) {
	l.provider, l.slot = n, n.slot(l.sub.Slot)
	l.sub.Provider, l.sub.LagBytes, l.sub.LagSeconds = n.Name, l.slot.LagBytes, l.slot.LagSeconds
	l.slot.Subscriber, l.slot.Subscription = l.subscriber.Name, l.sub.Name
}

// guess looks for the provider of a subscription whose slot no node has.
func (l *link) guess(nodes []Node) {
	for _, n := range nodes {
		switch {
		case n.Name == l.subscriber.Name:
		case l.sub.ProviderName != "":
			if n.nameIn(l.sub.System) == l.sub.ProviderName {
				l.provider, l.sub.Provider = n, n.Name
				l.likely = []Node{n}
			}
		case n.publishesAll(l.sub.System, l.sub.Publications):
			l.likely = append(l.likely, n)
		}
	}
}

// known reports whether the provider is known.
func (l *link) known() bool { return l.provider.State != nil }

// published returns the tables that the provider publishes to the subscriber, each with
// its publications, and the names of the publications that do not exist.
func (l *link) published() (tables map[string][]*PublishedTable, missing []string) {
	tables = map[string][]*PublishedTable{}
	for _, name := range l.sub.Publications {
		p := l.provider.publication(l.sub.System, name)
		if p == nil {
			missing = append(missing, name)
			continue
		}
		for i := range p.Tables {
			t := &p.Tables[i]
			tables[t.Table] = append(tables[t.Table], t)
		}
	}
	return tables, missing
}

// between returns the links from one node to another.
func between(links []*link, from, to string) []*link {
	var found []*link
	for _, l := range links {
		if l.known() && l.provider.Name == from && l.subscriber.Name == to {
			found = append(found, l)
		}
	}
	return found
}

// receives reports whether a node has a subscription that may receive from a node that is
// not known.
func receivesFromUnknown(links []*link, node string) bool {
	return slices.ContainsFunc(links, func(l *link) bool { return l.subscriber.Name == node && !l.known() })
}
