// Package invoke carries work to whoever does it: "start this task" and "do this unit". A payload is plain JSON that
// names a task, a plan and a unit; no connection, secret or row travels in it, and an answer is a code or some counts.
//
// InProcess does the work in this process but sends it through the same bytes that any other way would, so that a
// field that does not serialise fails here too.
package invoke
