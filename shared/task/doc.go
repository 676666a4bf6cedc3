// Package task owns what is known of a task: its record, its states, its lease and its progress.
//
// A task is one object, task.json, and every change of it is a compare-and-swap, so that of two that act at once one
// wins and the other learns it. Two marks stand beside it: open/<id>, written before the record and removed when all
// that the task wrote for itself is gone after its end, lists what needs somebody without reading all tasks; the index
// entry makes "newest first" plain listing order.
//
// Of tasks that are exclusive, a table has one at a time: a lock, one object per table, says which (lock.go).
//
// The package promises: no submission is lost and none shares an id, even if the store's answer to a write is lost; a
// task has at most one live lease, judged by the store's clock alone; a task that has ended never changes again, and
// what it wrote for itself is removed, however often that must be tried; a runner that lost its lease can write
// nothing. It never starts or runs a task, and never reads what a task writes for itself.
package task
