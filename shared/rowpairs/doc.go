// Package rowpairs reads a diff document by differing key instead of by node: what both nodes of a pair hold for one
// key comes together, as a person reads it.
//
// A document has the rows of one node after those of the other, in the order of a database, which nobody can follow
// outside of it. So the document is surveyed once, to learn which rows belong together, and then read at two places at
// the same time. Rows belong together if the text of their keys is the same, or if the document says that they are the
// same key spelt in two ways. That is decided with hashes, and the texts are compared before rows are given as two
// sides of a difference.
//
// Memory is flat: one row at a time, two bits per row, and hashes of a bounded number of keys. A document with more of
// them is surveyed in several passes.
package rowpairs
