// Package render makes a diff document readable for people: as CSV for spreadsheets and
// scripts, and as one HTML page to read, search and attach to a ticket.
//
// A rendering shows what a document contains and adds no conclusions. It is written as a
// stream, so the memory needed does not grow with the number of rows. The same document
// always renders to the same bytes.
//
// Values are treated as hostile. No value can become a formula in a spreadsheet, or
// markup, a script or a request in a browser.
//
// The package reads a document through an opener and writes to a writer. The caller
// determines where renderings are stored and who may read them.
package render
