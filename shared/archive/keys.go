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

// The layout of the bucket. Package task checks task ids against their pattern before
// they are used here.

// OpenPrefix contains the markers of the tasks that have not ended, for start-up, queue
// and sweeper.
const OpenPrefix = "open/"

// OpenKey marks a task as not ended.
func OpenKey(taskID string) string { return OpenPrefix + taskID }

// TasksPrefix contains all tasks.
const TasksPrefix = "tasks/"

// TaskPrefix contains everything that a task writes for itself.
func TaskPrefix(taskID string) string { return TasksPrefix + taskID + "/" }

// TaskKey is the task record. Every change replaces it by compare-and-swap.
func TaskKey(taskID string) string { return TaskPrefix(taskID) + "task.json" }

// TaskIDOfRecord returns the task whose record has this key; false if the key is not that
// of a record.
func TaskIDOfRecord(key string) (string, bool) {
	rest, below := strings.CutPrefix(key, TasksPrefix)
	id, record := strings.CutSuffix(rest, "/task.json")
	return id, below && record && id != "" && !strings.Contains(id, "/")
}

// PlanKey is the plan of a task.
func PlanKey(taskID string) string { return TaskPrefix(taskID) + "plan.json" }

// CancelKey exists if the cancellation of the task was requested.
func CancelKey(taskID string) string { return TaskPrefix(taskID) + "cancel" }

// PartsPrefix contains the parts of one phase.
func PartsPrefix(taskID, phase string) string {
	return TaskPrefix(taskID) + "parts/" + phase + "-"
}

// PartKey is one part: the result of one unit of work.
func PartKey(taskID, phase, unit string) string { return PartsPrefix(taskID, phase) + unit }

// DiffsPrefix contains the diff documents.
const DiffsPrefix = "diffs/"

// DiffKey is the diff document of a task that was submitted on this day (UTC).
func DiffKey(taskID string, submitted time.Time, format string) string {
	return fmt.Sprintf("%s%s/%s.%s", DiffsPrefix, submitted.UTC().Format(time.DateOnly), taskID, format)
}

// DiffIndexRoot contains the lists of diff documents.
const DiffIndexRoot = "index/diffs/"

// DiffIndexPrefix contains the list of the diff documents of one cluster and one table.
// An empty string means all of them.
func DiffIndexPrefix(cluster, table string) string {
	return DiffIndexRoot + segment(cluster) + "/" + segment(table) + "/"
}

// BaselinesRoot contains the baselines of incremental comparisons.
const BaselinesRoot = "baselines/"

// BaselinesPrefix contains the baselines of one table, each named by its task.
func BaselinesPrefix(cluster, database, table string) string {
	return BaselinesRoot + segment(cluster) + "/" + segment(database) + "/" + segment(table) + "/"
}

// BaselineKey is the baseline that a task stored for its table.
func BaselineKey(cluster, database, table, taskID string) string {
	return BaselinesPrefix(cluster, database, table) + taskID + baselineSuffix
}

// TaskIDOfBaseline returns the task that stored the baseline with this key.
func TaskIDOfBaseline(key string) string {
	return strings.TrimSuffix(key[strings.LastIndexByte(key, '/')+1:], baselineSuffix)
}

const baselineSuffix = ".json.gz"

// maxSegment bounds the segment of a key that a user's name becomes: the embedded gateway
// stores it as a file name.
const maxSegment = 200

// segment converts a name of any characters and length to a segment of a key. An empty
// name becomes "_all".
func segment(name string) string {
	if name == "" {
		return "_all"
	}
	escaped := url.PathEscape(name)
	if len(escaped) <= maxSegment {
		return escaped
	}
	sum := sha256.Sum256([]byte(name))
	hash := "~" + hex.EncodeToString(sum[:16])
	return escaped[:maxSegment-len(hash)] + hash
}

// LockKey identifies the lock of a table. Names may contain any character and be long, so
// the key has their hash.
func LockKey(cluster, database, table string) string {
	sum := sha256.Sum256([]byte(cluster + "\x00" + database + "\x00" + table))
	return "locks/" + hex.EncodeToString(sum[:])
}

// ImportPrefix contains the documents that users imported, named by their SHA-256.
const ImportPrefix = "imports/"

// ImportKey is the document with this SHA-256 (hexadecimal).
func ImportKey(sum string) string { return ImportPrefix + sum + ".json" }

// IncomingPrefix contains documents while they are imported. No object there outlives its
// request.
const IncomingPrefix = "incoming/"

// IncomingKey is a document that is being imported.
func IncomingKey(name string) string { return IncomingPrefix + name }

// RepairsPrefix contains what the attempts to repair one node wrote. It is kept, since an
// undo needs it.
func RepairsPrefix(taskID, node string) string {
	return fmt.Sprintf("repairs/%s/%s/", taskID, url.PathEscape(node))
}

// RepairsOfTaskPrefix contains what all attempts of a repair wrote, on any node.
func RepairsOfTaskPrefix(taskID string) string { return fmt.Sprintf("repairs/%s/", taskID) }

// RepairKey is an object of one attempt: before-images, the manifest, or the outcome.
func RepairKey(taskID, node string, attempt int, name string) string {
	return fmt.Sprintf("%s%d/%s", RepairsPrefix(taskID, node), attempt, name)
}

// ParseRepairKey splits a RepairKey into its components; ok is false if key is not a
// RepairKey.
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

// ReportKey is the n-th report, from 1, of a task that was submitted on this day (UTC).
func ReportKey(taskID string, submitted time.Time, n int) string {
	if n > 1 {
		return fmt.Sprintf("%s%d.json", ReportsOfTaskPrefix(taskID, submitted), n)
	}
	return ReportsOfTaskPrefix(taskID, submitted) + "json"
}

// ReportsOfTaskPrefix contains all reports of a task.
func ReportsOfTaskPrefix(taskID string, submitted time.Time) string {
	return fmt.Sprintf("reports/%s/%s.", submitted.UTC().Format(time.DateOnly), taskID)
}

// BeforeImagesKey is the document of the rows as they were before a repair, created on
// first request.
func BeforeImagesKey(taskID string, submitted time.Time) string {
	return ReportsOfTaskPrefix(taskID, submitted) + "before-images.json"
}

// BeforeImagesRecordKey is the record of that document: its size and SHA-256.
func BeforeImagesRecordKey(taskID string, submitted time.Time) string {
	return strings.TrimSuffix(BeforeImagesKey(taskID, submitted), ".json") + ".record"
}

// RenderingKey is the csv or html rendering of a document; both have the same key but for
// the suffix.
func RenderingKey(documentKey, format string) string {
	return strings.TrimSuffix(documentKey, ".json") + "." + format
}

// ScheduleKey is the state of a scheduled job. Names of jobs are checked when their file
// is read.
func ScheduleKey(job string) string { return "schedules/" + job + ".json" }

// ProbePrefix contains what Probe writes and removes again.
const ProbePrefix = "probe/"
