package replication

import (
	"slices"
)

// link is a subscription with the node that has it and, if it is known, the provider.
type link struct {
	subscriber Node
	sub        *Subscription
	// provider is the node that sends the changes. provider.State is nil if the
	// provider is not known: it is no node of the cluster, it could not be read, or
	// several nodes have a slot with the name of the subscription's slot.
	provider Node
	slot     *Slot // the slot of the subscription on the provider; nil if it was not found
	// likely are the nodes that may be the provider although they lack the slot: the node
	// that the extension names, otherwise the nodes that have all publications of the
	// subscription. It is empty if the slot was found.
	likely []Node
	// ambiguous are the nodes that may be the provider because each has a slot of the
	// right name. It is empty if the slot was found, or if no node has one.
	ambiguous []Node
}

// connect returns a link for each subscription, with its provider and slot if they can
// be found. Only the connection string of a subscription names its provider, and ACE
// does not read it, because it may contain a password. So the provider is the node that
// has the slot. If several nodes have a slot of this name, the provider is known only
// if all slots but one belong to other subscriptions. A subscription of an extension also
// names its provider, so only the slot of the node with this name is considered.
func connect(nodes []Node) []*link {
	var links []*link
	for _, n := range nodes {
		for i := range n.Subscriptions {
			links = append(links, &link{subscriber: n, sub: &n.Subscriptions[i]})
		}
	}

	// A slot serves one subscription. So a slot that was assigned to a subscription is no
	// candidate for another, which may then have only one candidate left.
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
		if l.slot != nil {
			continue
		}
		if l.ambiguous = l.candidates(nodes, used); len(l.ambiguous) == 0 {
			l.guess(nodes)
		}
	}
	return links
}

// candidates returns the nodes that may be the provider: nodes other than the subscriber
// that have a slot with the right name which is not in used. For a subscription of an
// extension, the name of the node in the extension must be right, too.
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

// use makes n the provider of the subscription. It records the provider in the
// subscription and the subscription in the slot.
func (l *link) use(n Node) {
	l.provider, l.slot = n, n.slot(l.sub.Slot)
	l.sub.Provider, l.sub.LagBytes, l.sub.LagSeconds = n.Name, l.slot.LagBytes, l.slot.LagSeconds
	l.slot.Subscriber, l.slot.Subscription = l.subscriber.Name, l.sub.Name
}

// guess sets likely for a subscription whose slot was not found. For a subscription of an
// extension, it also sets the provider, which the extension names.
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

// published returns the tables that the provider publishes to the subscription. The keys
// are the names of the tables; a table has a value for each publication that contains it.
// missing has the publications of the subscription that the provider does not have.
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

// between returns the links from one node, the provider, to another, the subscriber.
func between(links []*link, from, to string) []*link {
	var found []*link
	for _, l := range links {
		if l.known() && l.provider.Name == from && l.subscriber.Name == to {
			found = append(found, l)
		}
	}
	return found
}

// receivesFromUnknown reports whether a node has a subscription whose provider is not
// known. Such a provider may be any node.
func receivesFromUnknown(links []*link, node string) bool {
	return slices.ContainsFunc(links, func(l *link) bool { return l.subscriber.Name == node && !l.known() })
}
