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

// The layout of the bucket. Task ids are checked against their pattern before they come here (see package task).

// OpenPrefix lists the tasks that have not ended: what start-up, the queue and the sweeper read.
const OpenPrefix = "open/"

// OpenKey marks a task as not ended.
func OpenKey(taskID string) string { return OpenPrefix + taskID }

// TasksPrefix holds all tasks.
const TasksPrefix = "tasks/"

// TaskPrefix holds everything a task writes for itself.
func TaskPrefix(taskID string) string { return TasksPrefix + taskID + "/" }

// TaskKey is the task record, the only object that is ever replaced.
func TaskKey(taskID string) string { return TaskPrefix(taskID) + "task.json" }

// TaskIDOfRecord gives the task whose record has this key, false if it is the key of something else.
func TaskIDOfRecord(key string) (string, bool) {
	rest, below := strings.CutPrefix(key, TasksPrefix)
	id, record := strings.CutSuffix(rest, "/task.json")
	return id, below && record && id != "" && !strings.Contains(id, "/")
}

// PlanKey is the plan of a task.
func PlanKey(taskID string) string { return TaskPrefix(taskID) + "plan.json" }

// CancelKey exists when somebody asked for the task to be cancelled.
func CancelKey(taskID string) string { return TaskPrefix(taskID) + "cancel" }

// PartsPrefix holds the parts of one phase.
func PartsPrefix(taskID, phase string) string {
	return TaskPrefix(taskID) + "parts/" + phase + "-"
}

// PartKey is one part: the result of one unit of work.
func PartKey(taskID, phase, unit string) string { return PartsPrefix(taskID, phase) + unit }

// DiffsPrefix holds the diff documents.
const DiffsPrefix = "diffs/"

// DiffKey is the diff document of a task that was submitted on this day (UTC).
func DiffKey(taskID string, submitted time.Time, format string) string {
	return fmt.Sprintf("%s%s/%s.%s", DiffsPrefix, submitted.UTC().Format(time.DateOnly), taskID, format)
}

// DiffIndexRoot holds the lists of diff documents.
const DiffIndexRoot = "index/diffs/"

// DiffIndexPrefix holds the list of the diff documents of one cluster and one table; "" stands for all of them.
func DiffIndexPrefix(cluster, table string) string {
	return DiffIndexRoot + segment(cluster) + "/" + segment(table) + "/"
}

// BaselinesRoot holds what comparisons have left for incremental ones.
const BaselinesRoot = "baselines/"

// BaselinesPrefix holds the baselines of one table, each named by its task.
func BaselinesPrefix(cluster, database, table string) string {
	return BaselinesRoot + segment(cluster) + "/" + segment(database) + "/" + segment(table) + "/"
}

// BaselineKey is what a task has left of its table.
func BaselineKey(cluster, database, table, taskID string) string {
	return BaselinesPrefix(cluster, database, table) + taskID + baselineSuffix
}

// TaskIDOfBaseline gives the task that has left the baseline with this key.
func TaskIDOfBaseline(key string) string {
	return strings.TrimSuffix(key[strings.LastIndexByte(key, '/')+1:], baselineSuffix)
}

const baselineSuffix = ".json.gz"

// maxSegment is the longest piece of a key between slashes that a name of the user's becomes: the embedded gateway keeps
// it as a file name.
const maxSegment = 200

// segment makes a name a piece of a key, whatever its characters and length. No cluster or table becomes "_all".
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

// LockKey names the exclusive task of a table. Names may hold any character and be long, so the key has their hash.
func LockKey(cluster, database, table string) string {
	sum := sha256.Sum256([]byte(cluster + "\x00" + database + "\x00" + table))
	return "locks/" + hex.EncodeToString(sum[:])
}

// ImportPrefix holds the documents that users have brought, named by their SHA-256.
const ImportPrefix = "imports/"

// ImportKey is the document with this SHA-256 (hexadecimal).
func ImportKey(sum string) string { return ImportPrefix + sum + ".json" }

// IncomingPrefix holds what is being imported: nothing there lives for longer than the request that brings it.
const IncomingPrefix = "incoming/"

// IncomingKey is a document that is being imported.
func IncomingKey(name string) string { return IncomingPrefix + name }

// RepairsPrefix holds what the attempts to repair one node wrote: kept, since an undo needs it.
func RepairsPrefix(taskID, node string) string {
	return fmt.Sprintf("repairs/%s/%s/", taskID, url.PathEscape(node))
}

// RepairsOfTaskPrefix holds what all attempts of a repair wrote, whatever the node.
func RepairsOfTaskPrefix(taskID string) string { return fmt.Sprintf("repairs/%s/", taskID) }

// RepairKey is an object of one attempt: before-images, the manifest, or the outcome.
func RepairKey(taskID, node string, attempt int, name string) string {
	return fmt.Sprintf("%s%d/%s", RepairsPrefix(taskID, node), attempt, name)
}

// ParseRepairKey takes a RepairKey apart; ok is false if it is none.
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

// ReportKey is the nth report, from 1, of a task that was submitted on this day (UTC).
func ReportKey(taskID string, submitted time.Time, n int) string {
	if n > 1 {
		return fmt.Sprintf("%s%d.json", ReportsOfTaskPrefix(taskID, submitted), n)
	}
	return ReportsOfTaskPrefix(taskID, submitted) + "json"
}

// ReportsOfTaskPrefix holds all reports of a task.
func ReportsOfTaskPrefix(taskID string, submitted time.Time) string {
	return fmt.Sprintf("reports/%s/%s.", submitted.UTC().Format(time.DateOnly), taskID)
}

// BeforeImagesKey is the document of the rows as they were before a repair, made when first asked for.
func BeforeImagesKey(taskID string, submitted time.Time) string {
	return ReportsOfTaskPrefix(taskID, submitted) + "before-images.json"
}

// BeforeImagesRecordKey is what is known of that document since it was made: its size and SHA-256.
func BeforeImagesRecordKey(taskID string, submitted time.Time) string {
	return strings.TrimSuffix(BeforeImagesKey(taskID, submitted), ".json") + ".record"
}

// RenderingKey is the csv or html rendering of a document, which lies beside it.
func RenderingKey(documentKey, format string) string {
	return strings.TrimSuffix(documentKey, ".json") + "." + format
}

// ScheduleKey is what became of a scheduled job. Names of jobs are checked when their file is read.
func ScheduleKey(job string) string { return "schedules/" + job + ".json" }

// ProbePrefix holds what Probe writes and removes again.
const ProbePrefix = "probe/"
