// Package diffkeys returns the distinct keys of a diff document in key order. A rerun and
// a repair start from these keys.
//
// A document contains a key up to twice per pair of nodes. Only a server knows the order
// of keys and which texts are the same key. So the document is read once, keys are
// collected up to a memory limit, and a server ranks them. What does not fit is stored as
// sorted runs in a Spool and merged. A document in key order, like ours, makes few long
// runs. Another order (a document of another tool, or nodes that now sort differently)
// makes more runs, with the same result.
//
// Keys are returned only after the whole document was read and found valid. Memory is
// bounded whatever the document contains, except by the size of a single key. The package
// is pure: it reads a stream and knows neither server nor archive.
package diffkeys
