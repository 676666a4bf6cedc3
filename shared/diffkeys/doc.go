// Package diffkeys gives the distinct keys of a diff document in key order: what a rerun looks at again and what a
// repair starts from.
//
// A key stands in a document up to twice per pair of nodes, and only a server knows the order of keys and which texts are
// the same one. So the document is read once, keys are collected up to a limit of memory, a server ranks what was
// collected, and what does not fit is kept as sorted runs in a Spool and merged. A document that stands in key order,
// as ours do, makes few long runs; in any other order (one of another tool, or nodes that sort otherwise by now) there
// are more of them: the keys that come out are the same.
//
// Keys are promised only once the whole document was read and is valid to its end. Memory is bounded whatever the
// document holds, but for a single key. The package is pure: it reads a stream and knows neither server nor archive.
package diffkeys
