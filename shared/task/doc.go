// Package task owns a task's record, its state, its lease and its progress.
//
// A task is one object, task.json. Every change of it is a compare-and-swap: of two
// concurrent changes one succeeds and the other fails. Two more objects belong to a task:
//
//   - The open marker, open/<id>, is written before the record. It is deleted after the
//     task has ended and all objects that the task wrote for itself are gone. The open
//     markers list the tasks that need attention, so that not all tasks must be read.
//   - The index entries have a name that decreases with the time of the submission, so
//     that the store lists the newest task first. There is one for each list: of all
//     tasks, of the cluster, of the table, and of both.
//
// A table has at most one exclusive task (a repair or undo) at a time. The table's lock,
// one object per table, names that task (lock.go).
//
// The package guarantees:
//
//   - No submission is lost and no two share an id, even if the response to a write is
//     lost.
//   - A task has at most one live lease, judged by the store's clock alone.
//   - A task that has ended never changes again. The objects that it wrote for itself are
//     deleted, and the deletion is retried until it succeeds.
//   - A runner that has lost its lease cannot change the record.
//
// The package never starts or runs a task, and never reads the objects that a task writes
// for itself.
package task
