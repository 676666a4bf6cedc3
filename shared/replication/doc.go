// Package replication compares how the nodes of a cluster replicate to each other. Each
// node has a State: its publications, subscriptions, replication slots and origins,
// including those of the extensions pglogical and Spock. Compare finds the slot of each
// subscription on its provider. It returns a finding (package finding) for everything
// that is broken or late, or that differs between the nodes.
//
// A replication set of pglogical or Spock is a Publication here, and a subscription of
// pglogical or Spock is a Subscription.
//
// The facts that the role may not read on a node are listed in its State (Unknown). The
// package does not treat such a fact as absent. It reads no server: package pg does.
package replication
