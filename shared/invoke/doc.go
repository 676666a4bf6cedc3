// Package invoke sends work to the process that does it: a task to start, or a unit of
// work to do. A payload is plain JSON: the id of a task, or a unit of work with the id of
// its task and the hash of its plan. A payload contains no connection string, secret or
// row. The reply to a unit of work has the totals of the unit, or an error.
//
// InProcess does the work in this process. It encodes and decodes the same JSON as
// package awslambda, so that a field that cannot be encoded causes an error here too.
package invoke
