// Package tablediff finds every row of a table that differs between nodes and writes the document that proves it.
//
// A run has phases: plan (planner.go), scan (pages.go, only where physical order has nothing to do with the key), compare
// (compare.go), confirm (confirm.go) and merge (merge.go). The Coordinator makes the plan, hands units of work to
// whoever invokes Workers, and merges their parts; a Worker does one unit, alone with the stored plan. Everything
// that is to be remembered is an object of the archive, so a run that was cut short goes on where the parts end.
//
// A verdict is computed from parts only, and only if they cover the whole key space: a unit that was cancelled, timed
// out or got lost is an error, never fewer differences.
package tablediff
