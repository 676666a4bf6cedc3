// Package diffindex owns the list of archived diff documents, newest first. The list
// consists of small objects. Their names make the order of the list the order of the
// store's own listing, so a page costs the same among ten documents and among a hundred
// thousand.
//
// An entry is written only after the task's record names the document, and List returns
// an entry only while its document exists. So every listed document can be fetched. An
// entry may be late by as long as the store is unreachable: a task keeps its open marker
// until Add has succeeded.
//
// The index holds nothing that the task records do not hold. Rebuild recreates it from
// them. The package never reads a document. difffile owns the format of documents, and
// diffarchive opens them.
package diffindex
