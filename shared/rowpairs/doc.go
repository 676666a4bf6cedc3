// Package rowpairs reads a diff document key by key instead of node by node. For each
// key, it returns the rows of both nodes of a pair together, so that a reader can compare
// them.
//
// For each pair, a document has two sections: the rows of one node, and then the rows of
// the other node. The rows of a section are in key order, which only the database can
// compute. Therefore Open first reads the whole document to find out which rows belong
// together (the survey). Differences then reads both sections at the same time.
//
// Two rows belong together if the texts of their keys are equal, or if the document lists
// the two keys as key variants. The survey determines this with hashes. Differences
// compares the texts before it returns two rows as one difference.
//
// Keys does the same over all pairs: it returns the rows that all nodes have for one key.
// If the document has several pairs, Keys first reads it once more, to count how often
// the document lists each key.
//
// Memory is bounded: one row of each section at a time, two bits per row (with Keys two
// bytes more), and hashes of a limited number of keys. If a pair has more keys than that,
// the survey reads its rows several times.
package rowpairs
