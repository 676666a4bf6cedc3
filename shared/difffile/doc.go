// Package difffile owns the format of the diff document: the one JSON object that a
// comparison or rerun archives, and that reports, reruns and repairs read.
//
//	{"format": "ace-diff/1",
//	 "summary": {...},
//	 "diffs": {"n1/n2": {"n1": [row, ...], "n2": [row, ...]}},
//	 "unsettled": {"n1/n2": [["key", ...], ...]},
//	 "key_variants": {"n1/n2": [[["key", ...], ["key", ...]], ...]},
//	 "written": {"n1/n2": {"n1": [[["key", ...], "time", "origin"], ...]}}}
//
// The members have this order:
//
//   - "diffs" has the pairs of nodes that differ, in the cluster's order of nodes. A row
//     that one node lacks is only under the other node. Rows are in key order.
//
//   - "unsettled" lists the keys of rows that were still changing when last read.
//
//   - "key_variants" lists the keys that are equal for the index although their texts
//     differ (1.0 and 1.00, a and A as citext). Each element has two keys: the key as the
//     first node writes it, then the same key as the second node writes it. Documents of
//     earlier versions call this member "respelt". Readers accept both names. All other
//     rows of the two nodes have the same key if and only if the texts of their keys are
//     equal.
//
//   - "written" lists, for each node in the summary's commit_times, which transaction was
//     the last to write each row in "diffs": the row's key, the time of the commit, and
//     the name of the replication origin. The time is absent if the node does not know
//     it, and the origin if the transaction was one of the node itself. An element whose
//     row was removed from "diffs" has no meaning.
//
// The members "unsettled", "key_variants" and "written" are absent if they are empty. A
// key in them is a list of texts, one for each column of primary_key.
//
// A row is an object with every column. NULL is null, a boolean is true or false, a
// smallint, integer or bigint is an exact JSON number, and everything else is
// PostgreSQL's text as a string.
//
// Writing and reading need memory for one row, regardless of the number of rows. The same
// summary and rows always produce the same bytes. The package reads and writes streams
// and does not use the archive. It can also read two layouts of another tool (see
// peer.go), which it never writes.
//
// Other packages for diff documents: diffarchive opens documents in the archive and
// stores their renderings, diffindex lists all documents, and diffkeys sorts the distinct
// keys of one document.
package difffile

// Format is the value of "format" in the documents that this package writes.
const Format = "ace-diff/1"
