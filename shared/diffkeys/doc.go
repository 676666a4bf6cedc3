// Package diffkeys returns the distinct keys of a diff document in key order. A rerun and
// a repair start from these keys.
//
// A document contains a key up to twice per pair of nodes. Only a server knows the order
// of keys and which texts are the same key. So the document is read once, keys are
// collected up to a memory limit, and a server ranks them. Keys that do not fit into
// memory are stored in a Spool as sorted runs, which are merged later. A document in key
// order, as a comparison writes it, leads to a few long runs. Another order (in a
// document of another tool, or if the nodes now sort differently) leads to more runs and
// the same result.
//
// Keys are returned only after the whole document was read and found valid. The use of
// memory is bounded for every document, except that a single key must fit into memory.
// The package is pure: it reads a stream, and reaches the server and the archive only
// through the functions and the Spool in its Options.
package diffkeys
