// Package task owns a task's record, its state, its lease and its progress.
//
// A task is one object, task.json. Every change of it is a compare-and-swap: of two
// concurrent changes one succeeds and the other fails. Two more objects belong to a task:
//
//   - The open marker, open/<id>, is written before the record. It is deleted after the
//     task has ended and all objects that the task wrote for itself are gone. It lists
//     the tasks that need attention, without reading all tasks.
//   - The index entry makes "newest first" the listing order.
//
// A table has at most one exclusive task at a time. A lock, one object per table, names
// it (lock.go).
//
// The package guarantees:
//
//   - No submission is lost and no two share an id, even if the response to a write is
//     lost.
//   - A task has at most one live lease, judged by the store's clock alone.
//   - A task that has ended never changes again. What it wrote for itself is removed,
//     however often that must be retried.
//   - A runner that lost its lease cannot write.
//
// The package never starts or runs a task, and never reads what a task writes for itself.
package task
