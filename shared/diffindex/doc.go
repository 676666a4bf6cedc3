// Package diffindex owns the list of archived diff documents, the newest first: small objects whose names make that
// order the listing's own, so that a page costs the same among ten documents and among a hundred thousand.
//
// It promises: an entry is written only once the task's record names the document, and List gives an entry only while
// the document is there, so nothing is ever listed that cannot be had. The other way round an entry may be late by as
// long as the store was out of reach: whoever ends a task keeps its open mark until Add has succeeded. The index holds
// nothing that the task records do not hold; Rebuild makes it anew from them. It never reads a document.
package diffindex
