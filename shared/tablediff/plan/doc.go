// Package plan has what the coordinator and the workers of a comparison share: the plan
// itself, units of work, and the rows and totals of the parts that workers store.
//
// The coordinator stores a Plan once and hands out Units. A worker does a Unit with
// nothing but the stored Plan and earlier parts, and stores a part of its own. All of
// this is plain data with a fixed JSON form: plans, units and parts of earlier versions
// stay readable.
//
// The package also declares the interfaces Opener, Node and Tx, through which both sides
// reach the nodes.
package plan
