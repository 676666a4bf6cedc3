// Package invoke sends work to the process that does it: "start this task" and "do this
// unit of work". A payload is plain JSON that names a task, a plan and a unit. It
// contains no connection, secret or row. A reply is an error code or some counts.
//
// InProcess does the work in this process. It encodes and decodes the same JSON as the
// other ways, so a field that cannot be encoded fails here too.
package invoke
