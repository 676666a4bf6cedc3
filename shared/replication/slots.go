package replication

import (
	"cmp"
	"fmt"
	"strings"

	"ace/shared/finding"
	"ace/shared/table"
)

// slots adds the findings about the slots of a node.
func (c *comparison) slots(n Node) {
	for i := range n.Slots {
		s := &n.Slots[i]
		if s.Temporary || s.Synced || s.isOfCopy() {
			continue
		}
		c.slot(n, s)
	}
}

// isOfCopy reports whether a worker that copies a table created the slot. The server
// drops such slots itself.
func (s *Slot) isOfCopy() bool {
	return strings.HasPrefix(s.Name, "pg_") && strings.Contains(s.Name, "_sync_")
}

func (c *comparison) slot(n Node, s *Slot) {
	f := finding.Finding{Kind: KindSlot, Object: s.Name}
	state := "inactive"
	if s.InactiveSeconds != nil {
		state += fmt.Sprintf(" for %.0f s", *s.InactiveSeconds)
	}
	if s.RetainedBytes != nil {
		state += ", retains " + size(*s.RetainedBytes) + " of WAL"
	}
	f.Nodes = map[string]string{n.Name: state}
	user := "its consumer"
	if s.Subscription != "" {
		user = fmt.Sprintf("subscription %s on %s", s.Subscription, s.Subscriber)
	}

	switch {
	case s.Invalidation != "" || s.WALStatus == "lost":
		f.Rank = finding.Broken
		f.Nodes[n.Name] = "invalidated: " + cmp.Or(s.Invalidation, "the WAL was removed")
		f.Detail = fmt.Sprintf("%s cannot continue: changes since then are lost; create the slot and the subscription again, and compare the tables", user)
	case s.WALStatus == "unreserved":
		f.Rank = finding.Behind
		f.Detail = fmt.Sprintf("%s is so far behind that the next checkpoint may remove WAL that it needs (max_slot_wal_keep_size), which ends replication", user)
	case s.Active || c.pauses(s):
		return
	case s.Type == "physical":
		f.Rank = finding.Behind
		f.Detail = "no standby uses the slot: the server keeps WAL for it, until the disk is full or max_slot_wal_keep_size is reached; drop it if it is not needed"
	case s.Subscription != "":
		f.Rank = finding.Behind
		f.Detail = user + " does not use its slot: the server keeps WAL for it, until the disk is full or max_slot_wal_keep_size is reached"
	default:
		f.Rank = finding.Asymmetric
		f.Detail = "no subscription of the cluster uses the slot: the server keeps WAL for it, until the disk is full or max_slot_wal_keep_size is reached; " +
			"drop it if nothing else uses it"
		if len(c.options.Unread) > 0 {
			f.Detail += "; it may belong to " + strings.Join(c.options.Unread, " or ") + ", which could not be read"
		}
	}
	c.add(f)
}

// pauses reports whether an inactive slot is no problem. Its subscription must be enabled
// and have a worker, which will connect again. Its lag and the time since it became
// inactive must not exceed the maximum.
func (c *comparison) pauses(s *Slot) bool {
	late := s.LagBytes != nil && *s.LagBytes > c.options.MaxLagBytes || s.InactiveSeconds != nil && *s.InactiveSeconds > c.options.MaxLagSeconds
	for _, l := range c.links {
		if l.slot == s {
			return l.sub.Enabled && l.sub.Running && !late
		}
	}
	return false
}

// origins adds the findings about the replication origins of a node.
func (c *comparison) origins(n Node) {
	for _, o := range n.Origins {
		if !o.Leftover {
			continue
		}
		c.add(finding.Finding{
			Kind: KindOrigin, Object: o.Name, Rank: finding.Different,
			Nodes:  map[string]string{n.Name: "no subscription has it"},
			Detail: "the origin is left over from a subscription that does not exist any more: it occupies one of the server's origins, and does no other harm",
			Fix:    map[string]string{n.Name: "SELECT pg_catalog.pg_replication_origin_drop(" + table.Literal(o.Name) + ");"},
		})
	}
}
