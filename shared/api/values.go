package api

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"ace/shared/fault"
)

const (
	allowedBool = "true or false"
	// AllowedName describes the names that IsName accepts.
	AllowedName = "1 to 63 of the characters A-Z a-z 0-9 . _ - with a letter or digit first"
)

// TaskIDForm is the form of the id of any task, as a regular expression.
const TaskIDForm = `(t[dru]|[rs]d|rs)` + idForm

// The forms of names and task ids, as regular expressions. tableIDForm is the form of the
// id of any task about one table. diffIDForm is the form of the id of a table-diff, and
// repairIDForm that of a table-repair or table-rerun.
const (
	nameForm     = `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`
	idForm       = `_[0-9]{8}_[0-9]{6}(_[0-9a-z]{6})?`
	tableIDForm  = `t[dru]` + idForm
	diffIDForm   = `td` + idForm
	repairIDForm = `tr` + idForm
)

var (
	namePattern     = regexp.MustCompile(`^` + nameForm + `$`)
	taskIDPattern   = regexp.MustCompile(`^` + TaskIDForm + `$`)
	tableIDPattern  = regexp.MustCompile(`^` + tableIDForm + `$`)
	diffIDPattern   = regexp.MustCompile(`^` + diffIDForm + `$`)
	repairIDPattern = regexp.MustCompile(`^` + repairIDForm + `$`)
)

// IsName reports whether text is a valid name of a cluster, a node or a scheduled job. A
// name is safe in a file name and in the key of an object. It contains neither the
// separator of node lists (,) nor that of pairs in diff documents (/).
func IsName(text string) bool { return namePattern.MatchString(text) }

// IsTaskID reports whether text has the form of a task id, such as td_20240315_123456 or
// tr_20240315_123456_x1y2z3.
func IsTaskID(text string) bool { return taskIDPattern.MatchString(text) }

// CheckTaskID returns a fault with code Invalid if text does not have the form of a task
// id.
func CheckTaskID(text string) error {
	if !IsTaskID(text) {
		return fault.New(fault.Invalid, "%q is no task id; task ids look like td_20240315_123456", text)
	}
	return nil
}

// IsParentID reports whether a task with this id submits other tasks and waits for them.
func IsParentID(id string) bool {
	return strings.HasPrefix(id, "sd_") || strings.HasPrefix(id, "rs_")
}

// CheckClusterName returns a fault with code Invalid if name is not a valid name of a
// cluster.
func CheckClusterName(name string) error {
	var found problems
	found.add("cluster_name", clusterNameProblem(name))
	return found.err()
}

func clusterNameProblem(name string) string {
	switch {
	case name == "":
		return "cluster_name is required"
	case !IsName(name):
		return notAllowed("cluster_name", name, AllowedName)
	}
	return ""
}

// ParseTaskID returns id if it has the form of a task id. Otherwise no such task can
// exist, and the error is a fault with code NotFound.
func ParseTaskID(id string) (string, error) {
	if !IsTaskID(id) {
		return "", fault.New(fault.NotFound, "there is no task %s, task ids look like td_20240315_123456", quote(id))
	}
	return id, nil
}

// parseBool parses a boolean in the forms that the API reference (docs/API.md) lists, in
// upper or lower case.
func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "t", "1", "yes":
		return true, nil
	case "false", "f", "0", "no":
		return false, nil
	}
	return false, errors.New(allowedBool)
}

// parseDecimal parses a number in decimal notation. It rejects hexadecimal numbers,
// infinity and NaN.
func parseDecimal(text string) (float64, error) {
	if strings.Trim(text, "0123456789.eE+-") != "" {
		return 0, errors.New("not a decimal number")
	}
	return strconv.ParseFloat(text, 64)
}

// parseCount parses a whole number greater than 0. A number that an int cannot hold
// becomes the largest int.
func parseCount(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if n > 0 && errors.Is(err, strconv.ErrRange) {
		return n, nil
	}
	if err == nil && n <= 0 {
		err = errors.New(allowedCount)
	}
	return n, err
}

func parseInt64(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }

// wholeRange is a range of whole numbers that includes both ends.
type wholeRange struct{ from, to int64 }

func (w wholeRange) String() string {
	return fmt.Sprintf("a whole number from %d to %d", w.from, w.to)
}

func (w wholeRange) values() Values {
	return Values{From: strconv.FormatInt(w.from, 10), To: strconv.FormatInt(w.to, 10)}
}

// problem returns a message about a value outside the range, or "" if the value is
// inside.
func (w wholeRange) problem(name string, value int64) string {
	if value >= w.from && value <= w.to {
		return ""
	}
	return notAllowed(name, strconv.FormatInt(value, 10), w.String())
}

// oneOf returns a message about a value that is not one of the allowed values, or "" if
// it is one of them.
func oneOf(name, value string, allowed ...string) string {
	for _, word := range allowed {
		if value == word {
			return ""
		}
	}
	return notAllowed(name, value, joinOr(allowed))
}

// joinOr joins words as in "a, b or c".
func joinOr(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// repeated returns the first item that is equal to an earlier one. It returns false if
// all items are different.
func repeated(items []string) (string, bool) {
	seen := make(map[string]bool, len(items))
	for _, item := range items {
		if seen[item] {
			return item, true
		}
		seen[item] = true
	}
	return "", false
}
