// Package invoke sends work to the process that does it: a task to start, or a unit of
// work to do. A payload is plain JSON that names a task, a plan and a unit. It contains
// no connection, secret or row. A reply is an error or some counts.
//
// InProcess does the work in this process. It encodes and decodes the same JSON as
// package awslambda, so that a field that cannot be encoded causes an error here too.
package invoke
