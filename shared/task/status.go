package task

import "slices"

// Type is the type of a task: what the task does.
type Type string

// The types of tasks, with their names in the API.
const (
	TableDiff   Type = "table-diff"
	TableRepair Type = "table-repair"
	TableRerun  Type = "table-rerun"
	TableUndo   Type = "table-undo"
	SchemaDiff  Type = "schema-diff"
	RepsetDiff  Type = "repset-diff"

	ReplicationDiff Type = "replication-diff"
)

// Types returns all types.
func Types() []Type {
	return []Type{TableDiff, TableRepair, TableRerun, TableUndo, SchemaDiff, RepsetDiff, ReplicationDiff}
}

// IsSet reports whether a task of this type compares several tables.
func (t Type) IsSet() bool { return t == SchemaDiff || t == RepsetDiff }

// Status is the state of a task.
type Status string

// The states. A new task is Queued; Completed, Failed and Cancelled are final.
const (
	Queued    Status = "QUEUED"
	Running   Status = "RUNNING"
	Completed Status = "COMPLETED"
	Failed    Status = "FAILED"
	Cancelled Status = "CANCELLED"
)

// Statuses returns all states in the order in which a task can pass them.
func Statuses() []Status { return []Status{Queued, Running, Completed, Failed, Cancelled} }

// Terminal reports whether the state is final.
func (s Status) Terminal() bool { return len(s.successors()) == 0 }

// CanBecome reports whether a record in state s may be replaced by one in state next.
func (s Status) CanBecome(next Status) bool { return slices.Contains(s.successors(), next) }

// successors returns the states that may follow s. A Queued or Running record may be
// replaced by one in the same state, because starts are recorded, and leases are renewed,
// released and taken over.
func (s Status) successors() []Status {
	switch s {
	case Queued:
		return []Status{Queued, Running, Cancelled}
	case Running:
		return []Status{Running, Completed, Failed, Cancelled}
	default:
		return nil
	}
}
