package task

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/fault"
)

const (
	diffPrefix   = "td_"
	repairPrefix = "tr_" // the ids of reruns have this prefix, too
	undoPrefix   = "tu_"
	schemaPrefix = "sd_"
	repsetPrefix = "rs_"

	replicationPrefix = "rd_"

	idTime      = "20060102_150405"
	idSuffixLen = 6
)

// CheckID checks an id that comes from outside before it becomes part of a key. The error
// is Invalid and names the id.
func CheckID(id string) error {
	if !api.IsTaskID(id) {
		return fault.New(fault.Invalid,
			"task_id %q is not a task id; it looks like td_20240315_123456 or tr_20240315_123456_x1y2z3", id)
	}
	return nil
}

// newID returns the id of a task of this type. The id contains the time of the submission
// in seconds.
func newID(t Type, submitted time.Time) string {
	prefix := repairPrefix
	switch t {
	case TableDiff:
		prefix = diffPrefix
	case TableUndo:
		prefix = undoPrefix
	case SchemaDiff:
		prefix = schemaPrefix
	case RepsetDiff:
		prefix = repsetPrefix
	case ReplicationDiff:
		prefix = replicationPrefix
	}
	return prefix + submitted.UTC().Format(idTime)
}

// mayHaveType reports whether a task with this valid id may be of this type. Repairs and
// reruns have the same prefix. In earlier versions undos had this prefix too.
func mayHaveType(id string, t Type) bool {
	switch id[:len(diffPrefix)] {
	case diffPrefix:
		return t == TableDiff
	case undoPrefix:
		return t == TableUndo
	case schemaPrefix:
		return t == SchemaDiff
	case repsetPrefix:
		return t == RepsetDiff
	case replicationPrefix:
		return t == ReplicationDiff
	}
	return t != TableDiff && !t.IsSet() && t != ReplicationDiff
}

// withSuffix returns an id with a random suffix, which distinguishes the id from the ids
// of other tasks that were submitted in the same second.
func withSuffix(id string) string {
	return id + "_" + strings.ToLower(rand.Text()[:idSuffixLen])
}

// onceID returns the n-th id that a submission with New.Once tries. A repetition of the
// submission tries the same ids in the same order, so it finds the task of the first one.
func onceID(t Type, submitted time.Time, once string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", n, once))
	suffix := base32.StdEncoding.EncodeToString(sum[:])[:idSuffixLen]
	return newID(t, submitted) + "_" + strings.ToLower(suffix)
}

// idSecond returns the part of a valid id that contains the submission time in seconds.
// Ids can be ordered by it.
func idSecond(id string) string { return id[len(diffPrefix) : len(diffPrefix)+len(idTime)] }
