// Package worker does single units of work of a comparison.
//
// A Worker sees only the stored plan and the parts of earlier units, so it can run in any process. It stores
// what a unit finds as one part and returns the part's totals. To do a unit again is safe: the first part
// that is stored for it counts.
package worker
