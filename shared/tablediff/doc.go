// Package tablediff finds every row of a table that differs between nodes and writes the
// document that proves it.
//
// The work is divided among three packages:
//
//   - tablediff, the coordinator, makes the plan, hands out units and merges their parts;
//   - tablediff/worker does one unit of work;
//   - tablediff/plan has the data that these two share, which is all they know of each
//     other.
//
// A run has phases: plan (planner.go), scan (scans.go), compare, confirm and merge
// (merge.go). Only tables whose rows are read in physical order have a scan. Everything
// that a run must remember is an object of the archive, so an interrupted run continues
// where its parts end.
//
// The verdict is computed from parts alone, and only if they cover the whole key space. A
// unit that was cancelled, timed out or was lost is an error; it never means fewer
// differences.
package tablediff
