// Package structure compares the structure of a database between the nodes of a cluster.
// It returns a finding for each object that a node lacks, for each property that differs,
// and for each sequence that will return a value which exists already.
//
// Each finding has a rank by its consequence for replication and repairs (rules.go), and
// what each node has. If a safe statement exists, it also has SQL that would make the
// nodes alike. The SQL is text to review; the package executes nothing. The SQL creates
// missing objects. It changes a property that differs to the value that loses nothing,
// such as the wider type. If there is no such value, it chooses the most frequent value,
// and in a tie that of the first node.
//
// Objects are matched by name. If all nodes have a constraint, an index or the sequence
// of a column with the same definition but different names, this is one finding of the
// lowest rank.
package structure
