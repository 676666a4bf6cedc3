// Package replication compares how the nodes of a cluster replicate to each other. Each
// node reports its publications, subscriptions, replication slots and origins, and what
// the extensions pglogical and Spock have of these (State). Compare connects each
// subscription with the slot on its provider, and returns what is broken, late, or not
// alike (package finding).
//
// A replication set of pglogical or Spock is a Publication here, and a subscription of
// pglogical or Spock is a Subscription. Their catalogs have the same shape.
//
// What a node did not let ACE see is part of its State (Unknown). Nothing is concluded
// from it. The package reads no server: see package pg.
package replication
