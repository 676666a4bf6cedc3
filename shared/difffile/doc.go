// Package difffile owns the diff document: the one JSON object that a diff or rerun archives, and that reports, reruns
// and repairs start from.
//
//	{"format": "ace-diff/1",
//	 "summary": {...},
//	 "diffs": {"n1/n2": {"n1": [row, ...], "n2": [row, ...]}},
//	 "unsettled": {"n1/n2": [["key", ...], ...]},
//	 "key_variants": {"n1/n2": [[["key", ...], ["key", ...]], ...]}}
//
// Members stand in this order. Pairs follow the cluster's order of nodes and are absent when they have no differences;
// a row that one node lacks stands only under the other; rows are in key order. A row is an object with every column:
// NULL is null, boolean true or false, smallint, integer and bigint exact JSON numbers, everything else PostgreSQL's
// text as a string. The last two members are there only when they have content, with keys as text in the order of
// primary_key. "unsettled": the keys of rows that were still being written when last read. "key_variants": the keys of rows
// that the index holds for the same key although its text differs (1.0 and 1.00, a and A as citext), as the first node
// spells it and as the second one does; documents of earlier versions call this member "respelt". All other rows of a pair belong together exactly if their keys' texts are equal.
//
// Writing and reading take memory for one row, however many there are. The same summary and rows give the same bytes.
// The package writes to and reads from streams: where a document lies and who may see it is the archive's business.
// Two layouts of another tool can be read too (see peer.go); they are never written.
package difffile

// Format is what "format" says in the documents this package writes.
const Format = "ace-diff/1"
