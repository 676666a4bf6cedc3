// Package tablediff finds every row of a table that differs between nodes and writes
// these rows to a document.
//
// The work is divided among three packages:
//
//   - tablediff, the coordinator, makes the plan, hands out units and merges their parts;
//   - tablediff/worker does one unit of work;
//   - tablediff/plan has the data that the other two share.
//
// Packages tablediff and worker do not import each other.
//
// A run has these steps: plan (planner.go), scan (scans.go), compare, confirm and merge
// (merge.go). In the scan step, a comparison in the pages strategy reads all pages, and a
// rerun lists the keys of its document. Everything that a later run needs is an object in
// the archive, so the next run of an interrupted task does only the missing units.
//
// The verdict is computed only from parts, and only if they cover the whole key space (in
// a rerun, all keys of the document). If a unit is cancelled, times out or is lost, the
// comparison fails. It never reports only some of the differences.
package tablediff
