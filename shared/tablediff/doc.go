// Package tablediff finds every row of a table that differs between nodes and writes the
// document that proves it.
//
// The work is divided among three packages:
//
//   - tablediff, the coordinator, makes the plan, hands out units and merges their parts;
//   - tablediff/worker does one unit of work;
//   - tablediff/plan has the data that the other two share. They do not import each
//     other.
//
// A run has phases: plan (planner.go), scan (scans.go), compare, confirm and merge
// (merge.go). The scan phase exists only for tables that are read in physical order.
// Everything that a later run needs is an object in the archive, so the next run of an
// interrupted task does only the missing units.
//
// The verdict is computed only from parts, and only if they cover the whole key space. If
// a unit is cancelled, times out or is lost, the comparison fails. It never reports fewer
// differences.
package tablediff
