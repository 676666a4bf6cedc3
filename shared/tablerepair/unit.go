package tablerepair

import (
	"fmt"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
)

// Phases of a run.
const (
	phaseKeys   = "keys"
	phasePlan   = "plan"
	phaseLag    = "lag"
	phaseDecide = "decide" // only in a repair by rule
	phaseRepair = "repair"
	phaseDryRun = "dry_run"
	phaseReport = "report"
)

// Unit is the repair of one target as plain data. The plan and the parts of keys
// determine what it does.
type Unit struct {
	TaskID   string `json:"task_id"`
	PlanHash string `json:"plan_hash"`
	Phase    string `json:"phase"` // repair, dry_run or decide
	// Target is the index of the target in the plan's targets or, in the phase decide, the
	// number of the part of keys.
	Target  int    `json:"target"`
	Attempt int    `json:"attempt"`
	Lease   string `json:"lease"` // token of the runner that sends the unit
	// Applied is a snapshot of the source, as pg_current_snapshot returns it. The target has
	// applied every change that the snapshot contains, except changes of nodes that could
	// not be reached. Applied is empty if the target receives no changes by replication, or
	// if it is unknown which changes the target has applied.
	Applied string `json:"applied,omitempty"`
	// AppliedBy is the same for a repair by rule: a snapshot of each other voter, by the
	// name of the node.
	AppliedBy map[string]string `json:"applied_by,omitempty"`
	// SourceFeeds are the replication slots through which the source receives changes from
	// the target and other nodes. The list is empty if the attempt need not wait for them.
	SourceFeeds []Feed `json:"returning,omitempty"`
	// Relays are the subscriptions that would bring inserted rows to nodes that have these
	// rows. The list is empty if conflicts are allowed.
	Relays []Relay `json:"relays,omitempty"`
}

// check returns an error unless u fits the plan p: u names the hash of p, a target of p
// without a problem, and the phase that p.DryRun requires. The unit may come from another
// process.
func (u Unit) check(p *Plan) error {
	if u.Phase == phaseDecide && p.byRule() && u.PlanHash == p.Hash() && u.Target >= 0 && u.Target < p.Resolve.Keys.Parts {
		return nil
	}
	fits := u.PlanHash == p.Hash() && u.Target >= 0 && u.Target < len(p.Targets) && p.Targets[u.Target].Problem == nil
	switch u.Phase {
	case phaseRepair:
		fits = fits && !p.DryRun && u.Attempt > 0
	case phaseDryRun:
		fits = fits && p.DryRun && u.Attempt > 0
	default:
		fits = false
	}
	if !fits {
		return fault.New(fault.Internal, "a unit of task %s does not fit its plan", u.TaskID)
	}
	return nil
}

// Totals counts the decisions for one target's keys.
type Totals struct {
	Inserted  int64 `json:"inserted"`
	Updated   int64 `json:"updated"`
	Deleted   int64 `json:"deleted"`
	Unchanged int64 `json:"unchanged"`
	Skipped   int64 `json:"skipped"`
	// UnrepairableUnwritten counts rows that are not written, since they differ only in
	// columns that no repair can make equal. UnrepairableWritten counts inserted and updated
	// rows that still differ after they were written. UnrepairableKeys has the keys of the
	// first rows of both kinds, and UnrepairableColumns the names of the columns in which
	// they differ. These fields have the JSON names of earlier versions.
	UnrepairableUnwritten int64       `json:"unequal,omitempty"`
	UnrepairableWritten   int64       `json:"unequal_written,omitempty"`
	UnrepairableKeys      []table.Key `json:"unequal_keys,omitempty"`
	UnrepairableColumns   []string    `json:"unequal_columns,omitempty"`
	Parts                 []Stored    `json:"parts,omitempty"` // parts with the changes, in key order
	Warnings              []string    `json:"warnings,omitempty"`
	// Refused has the reasons for which the repair would be refused. It is set only in a dry
	// run.
	Refused []string `json:"refused,omitempty"`
	// Left holds the keys of the first few rows that an undo skipped because they were
	// changed after the repair.
	Left []table.Key `json:"left,omitempty"`
	// Changed holds the keys of the first few rows that a repair by rule skipped because a
	// node had another version than when the key was decided.
	Changed []UndecidedKey `json:"changed,omitempty"`
}

func (t Totals) changes() int64 { return t.Inserted + t.Updated + t.Deleted }

// Stored describes a stored part of changes or of altered rows.
type Stored struct {
	Key    string      `json:"key"`
	Header part.Header `json:"header"`
	Rows   int64       `json:"rows"`
	SHA256 string      `json:"sha256"` // SHA-256 of the whole object
}

// decisionKey returns the key of the n-th object in which a dry run stores its decisions
// until the task ends. Every attempt of a dry run has its own objects.
func (u Unit) decisionKey(n int) string {
	return archive.PartKey(u.TaskID, phaseDryRun, fmt.Sprintf("%d-%s-%d-%06d", u.Target, u.Lease, u.Attempt, n))
}

// totalsKey returns the key of the object in which a dry run stores its totals. All
// attempts of a dry run share this object, so only the first attempt that ends stores its
// totals.
func totalsKey(taskID string, target int) string {
	return archive.PartKey(taskID, phaseDryRun, fmt.Sprintf("%d-totals", target))
}
