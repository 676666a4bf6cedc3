// Package inventory finds out what the nodes of a cluster are and have: it connects to
// every node (Check, Examine, Probe), and lists the tables of all nodes (Tables).
//
// Nodes are asked in parallel, and each has a time limit of its own, so a node that does
// not answer delays the result by some seconds at most. If a node cannot be read, this is
// part of the result, not an error. The package writes nothing and reads no user table.
package inventory
