package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The functions of this file define the layout of the archive. They do not escape task
// ids, because package task accepts only ids with characters that a key may contain.

// OpenPrefix is the prefix of the open markers. Start-up, queue and sweeper list this
// prefix to find the tasks that have not ended.
const OpenPrefix = "open/"

// OpenKey returns the key of a task's open marker.
func OpenKey(taskID string) string { return OpenPrefix + taskID }

// TasksPrefix is the prefix of the objects of all tasks.
const TasksPrefix = "tasks/"

// TaskPrefix returns the prefix of a task's own objects: its record, its plan, its parts,
// and the request to cancel it.
func TaskPrefix(taskID string) string { return TasksPrefix + taskID + "/" }

// TaskKey returns the key of a task record. Every change replaces the record by
// compare-and-swap.
func TaskKey(taskID string) string { return TaskPrefix(taskID) + "task.json" }

// TaskIDOfRecord returns the id of the task whose record has this key. It returns false
// if the key is not that of a task record.
func TaskIDOfRecord(key string) (string, bool) {
	rest, below := strings.CutPrefix(key, TasksPrefix)
	id, record := strings.CutSuffix(rest, "/task.json")
	return id, below && record && id != "" && !strings.Contains(id, "/")
}

// PlanKey returns the key of a task's plan.
func PlanKey(taskID string) string { return TaskPrefix(taskID) + "plan.json" }

// CancelKey returns the key of the object that exists if the cancellation of the task was
// requested.
func CancelKey(taskID string) string { return TaskPrefix(taskID) + "cancel" }

// PartsRoot returns the prefix of all parts of a task.
func PartsRoot(taskID string) string { return TaskPrefix(taskID) + "parts/" }

// PartsPrefix returns the prefix of the parts of one phase.
func PartsPrefix(taskID, phase string) string { return PartsRoot(taskID) + phase + "-" }

// PartKey returns the key of one part: the result of one unit of work.
func PartKey(taskID, phase, unit string) string { return PartsPrefix(taskID, phase) + unit }

// DiffsPrefix is the prefix of the diff documents.
const DiffsPrefix = "diffs/"

// DiffKey returns the key of the diff document of a task, or of a rendering of it. format
// is json, csv or html. The key contains the day (UTC) on which the task was submitted.
func DiffKey(taskID string, submitted time.Time, format string) string {
	return fmt.Sprintf("%s%s/%s.%s", DiffsPrefix, submitted.UTC().Format(time.DateOnly), taskID, format)
}

// DiffIndexRoot is the prefix of all lists of diff documents.
const DiffIndexRoot = "index/diffs/"

// DiffIndexPrefix returns the prefix of the list of the diff documents of one cluster and
// one table. An empty string means all clusters, or all tables.
func DiffIndexPrefix(cluster, table string) string {
	return DiffIndexRoot + segment(cluster) + "/" + segment(table) + "/"
}

// TaskIndexRoot is the prefix of all lists of tasks.
const TaskIndexRoot = "index/tasks/"

// TaskIndexPrefix returns the prefix of the list of the tasks of one cluster and one
// table. An empty string means all clusters, or all tables.
func TaskIndexPrefix(cluster, table string) string {
	return TaskIndexRoot + segment(cluster) + "/" + segment(table) + "/"
}

// FlatTaskIndexPrefix is the prefix of the list of all tasks that earlier versions wrote.
const FlatTaskIndexPrefix = "index/_tasks/"

// BaselinesRoot is the prefix of all baselines of incremental comparisons.
const BaselinesRoot = "baselines/"

// BaselinesPrefix returns the prefix of the baselines of one table. The rest of each key
// is the id of the task that stored the baseline, and a suffix.
func BaselinesPrefix(cluster, database, table string) string {
	return BaselinesRoot + segment(cluster) + "/" + segment(database) + "/" + segment(table) + "/"
}

// BaselineKey returns the key of the baseline that a task stored for its table.
func BaselineKey(cluster, database, table, taskID string) string {
	return BaselinesPrefix(cluster, database, table) + taskID + baselineSuffix
}

// TaskIDOfBaseline returns the id of the task that stored the baseline with this key.
func TaskIDOfBaseline(key string) string {
	return strings.TrimSuffix(key[strings.LastIndexByte(key, '/')+1:], baselineSuffix)
}

const baselineSuffix = ".json.gz"

// maxSegment is the maximum length in bytes of a segment of a key that is derived from a
// name. An S3 server may store the segment as a file name, whose length the file
// system limits.
const maxSegment = 200

// AllSegment is the segment of a list of all clusters or of all tables. No cluster and no
// table has this name.
const AllSegment = "_all"

// segment converts a name of any characters and length to a segment of a key. If the
// escaped name is too long, its end is replaced by a hash of the name. An empty name
// becomes AllSegment.
func segment(name string) string {
	if name == "" {
		return AllSegment
	}
	escaped := url.PathEscape(name)
	if len(escaped) <= maxSegment {
		return escaped
	}
	sum := sha256.Sum256([]byte(name))
	hash := "~" + hex.EncodeToString(sum[:16])
	return escaped[:maxSegment-len(hash)] + hash
}

// LockKey returns the key of the table lock: the object that names the only repair or
// undo that may work on a table. The names of cluster, database and table may be long and
// contain any character, so the key contains a hash of these names.
func LockKey(cluster, database, table string) string {
	sum := sha256.Sum256([]byte(cluster + "\x00" + database + "\x00" + table))
	return "locks/" + hex.EncodeToString(sum[:])
}

// ImportPrefix is the prefix of the documents that users imported, which are named by
// their SHA-256.
const ImportPrefix = "imports/"

// ImportKey returns the key of the imported document with this SHA-256 (hexadecimal).
func ImportKey(sum string) string { return ImportPrefix + sum + ".json" }

// RulesKey returns the key of the rules document with this SHA-256 (hexadecimal).
func RulesKey(sum string) string { return "rules/" + sum }

// IncomingPrefix is the prefix of documents that are being imported. If an import is
// never completed, the retention sweep deletes its object after a day.
const IncomingPrefix = "incoming/"

// IncomingKey returns the key of a document that is being imported. name is a random
// text, because the hash of the document is known only at the end.
func IncomingKey(name string) string { return IncomingPrefix + name }

// RepairsPrefix returns the prefix of the objects of all attempts to repair one node.
// They stay in the archive after the repair, because an undo needs them.
func RepairsPrefix(taskID, node string) string {
	return fmt.Sprintf("repairs/%s/%s/", taskID, url.PathEscape(node))
}

// RepairsOfTaskPrefix returns the prefix of the objects of all attempts of a repair, for
// all nodes.
func RepairsOfTaskPrefix(taskID string) string { return fmt.Sprintf("repairs/%s/", taskID) }

// RepairKey returns the key of an object of one attempt: before-images, the manifest, or
// the outcome.
func RepairKey(taskID, node string, attempt int, name string) string {
	return fmt.Sprintf("%s%d/%s", RepairsPrefix(taskID, node), attempt, name)
}

// ParseRepairKey returns the node, the attempt and the name from a key that RepairKey has
// returned. ok is false if key does not have the form of such a key.
func ParseRepairKey(key string) (node string, attempt int, name string, ok bool) {
	parts := strings.Split(key, "/")
	if len(parts) != 5 || parts[0] != "repairs" {
		return "", 0, "", false
	}
	node, err := url.PathUnescape(parts[2])
	if err != nil {
		return "", 0, "", false
	}
	attempt, err = strconv.Atoi(parts[3])
	return node, attempt, parts[4], err == nil
}

// ReportKey returns the key of the n-th report (from 1) of a task that was submitted on
// the given day (UTC).
func ReportKey(taskID string, submitted time.Time, n int) string {
	if n > 1 {
		return fmt.Sprintf("%s%d.json", ReportsOfTaskPrefix(taskID, submitted), n)
	}
	return ReportsOfTaskPrefix(taskID, submitted) + "json"
}

// ReportsOfTaskPrefix returns the prefix of the reports of a task, of the document with
// its before-images and of the record of that document.
func ReportsOfTaskPrefix(taskID string, submitted time.Time) string {
	return fmt.Sprintf("reports/%s/%s.", submitted.UTC().Format(time.DateOnly), taskID)
}

// ScriptKey returns the key of the script that makes the changes of a dry run on a node.
func ScriptKey(taskID string, submitted time.Time, node string) string {
	return ReportsOfTaskPrefix(taskID, submitted) + segment(node) + ".sql"
}

// BeforeImagesKey returns the key of the document with all before-images of a repair or
// undo. The document is created when it is first requested.
func BeforeImagesKey(taskID string, submitted time.Time) string {
	return ReportsOfTaskPrefix(taskID, submitted) + "before-images.json"
}

// BeforeImagesRecordKey returns the key of the object that holds the size and SHA-256 of
// a before-images document.
func BeforeImagesRecordKey(taskID string, submitted time.Time) string {
	return strings.TrimSuffix(BeforeImagesKey(taskID, submitted), ".json") + ".record"
}

// RenderingKey returns the key of the csv or html rendering of a document. It differs
// from the document's key only in its suffix.
func RenderingKey(documentKey, format string) string {
	return strings.TrimSuffix(documentKey, ".json") + "." + format
}

// ScheduleKey returns the key of the state of a scheduled job. The name of a job is not
// escaped, because the reader of the schedules file accepts only names with characters
// that a key may contain.
func ScheduleKey(job string) string { return "schedules/" + job + ".json" }

// NotificationsPrefix is the prefix of the outbox: the events of ended tasks that have
// not been delivered yet.
const NotificationsPrefix = "notifications/"

// NotificationKey returns the key of the event of a task in the outbox.
func NotificationKey(taskID string) string { return NotificationsPrefix + taskID }

// AuditPrefix is the prefix of the entries of the audit log, in a folder for each day.
const AuditPrefix = "audit/"

// AuditDayPrefix returns the prefix of the entries of the day of a time, in UTC.
func AuditDayPrefix(at time.Time) string {
	return AuditPrefix + at.UTC().Format(time.DateOnly) + "/"
}

// AuditKey returns the key of an entry of the audit log.
func AuditKey(at time.Time, id string) string { return AuditDayPrefix(at) + id + ".json" }

// ProbePrefix is the prefix of the objects that Probe writes and deletes again.
const ProbePrefix = "probe/"
