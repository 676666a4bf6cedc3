// Package diffindex owns the list of archived diff documents, newest first. The list
// consists of small objects. Their names are chosen so that the store lists them in the
// order of the list. So to read a page of the list costs the same with ten documents as
// with a hundred thousand.
//
// An entry is written only after the task's record names the document, and List returns
// an entry only while its document exists. So every listed document can be fetched. If
// the store is unreachable, an entry is added later: the task keeps its open marker until
// Add has succeeded.
//
// The index contains only information from the task records. Rebuild recreates it from
// them. The package never reads a document. difffile owns the format of documents, and
// diffarchive opens them.
package diffindex
