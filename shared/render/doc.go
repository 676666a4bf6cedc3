// Package render makes a diff document readable for people: as CSV for spreadsheets and scripts, and as one HTML page to
// read, search and attach to a ticket.
//
// A rendering shows what a document says and decides nothing. It is written as a stream, in memory that does not grow
// with the number of rows, and the same document gives the same bytes. Values are hostile until shown otherwise: none can
// become a formula in a spreadsheet, or markup, script or a request in a browser. The package reads a document through
// the opener it is given and writes to a writer: where renderings lie and who may see them is its caller's business.
package render
