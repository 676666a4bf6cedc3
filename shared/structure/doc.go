// Package structure compares the structure of a database between the nodes of a cluster.
// It returns a finding for each object that a node lacks, for each property that differs,
// and for each sequence that will return a value which exists already.
//
// Each finding has a rank by its consequence for replication and repairs (rules.go), what
// each node has, and, if a safe mend exists, SQL that would make the nodes alike. The SQL
// is text to review; the package executes nothing. Running every statement of a result
// makes the nodes alike: for each finding the nodes that differ are changed to what most
// nodes have, or to what the first node has if no value has a majority.
//
// Objects are matched by name. Constraints and indexes that have the same definition
// under another name are one finding of the lowest rank.
package structure
