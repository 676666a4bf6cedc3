// Package timelist owns the form of the lists in the archive that are ordered by time,
// the newest entry first. An entry is a small object. Its name is chosen so that the
// store lists the entries in the order of the list. So to read a page of a list costs the
// same with ten entries as with a hundred thousand.
//
// The package does not know what an entry contains. The owner of a list writes and
// deletes the objects, below one prefix for each filter that has a list of its own.
package timelist

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
)

// maxMillis is the largest number of 13 digits: a time in the year 2286, in Unix
// milliseconds.
const maxMillis = 9_999_999_999_999

// dayDigits is the number of digits of a stamp before its slash. All entries within about
// 28 hours have the same first digits. An archive in a directory reads a whole directory
// to list one page of it, so no directory may grow without bound.
const dayDigits = 5

// Stamp returns a text for a time. The text of a later time sorts before that of an
// earlier time.
func Stamp(t time.Time) string {
	digits := fmt.Sprintf("%013d", min(max(maxMillis-t.UnixMilli(), 0), maxMillis))
	return Split(digits)
}

// Split returns the stamp that consists of 13 digits.
func Split(digits string) string { return digits[:dayDigits] + "/" + digits[dayDigits:] }

// Name returns the name of the entry of a task: the part of its key after the prefix of
// the list.
func Name(t time.Time, taskID string) string { return Stamp(t) + "-" + taskID }

var namePattern = regexp.MustCompile(`^[0-9]{5}/[0-9]{8}-` + api.TaskIDForm + `$`)

// IsName reports whether name has the form of an entry's name.
func IsName(name string) bool { return namePattern.MatchString(name) }

// TaskID returns the id of the task from the name of an entry.
func TaskID(name string) string {
	_, id, _ := strings.Cut(name, "-")
	return id
}

// Version identifies the content of an entry: its name, and the ETag of its object. An
// object with another content has another ETag.
type Version struct{ Name, ETag string }

// Range selects the names of a list.
type Range struct {
	After string    // the names that follow this one
	Since time.Time // only entries of this time or later; zero means all
	Most  int       // the maximum number of names
}

// Names returns the first names of a list that are in the range. prefix is the prefix of
// the list, and ends with a slash. Objects that are no entries are skipped.
func Names(ctx context.Context, store archive.Store, prefix string, r Range) ([]Version, error) {
	oldest := ""
	if !r.Since.IsZero() {
		oldest = Stamp(r.Since)
	}
	after := r.After
	if after != "" {
		after = prefix + after
	}
	var names []Version
	err := store.List(ctx, prefix, after, func(info archive.Info) bool {
		name := strings.TrimPrefix(info.Key, prefix)
		if oldest != "" && name[:min(len(name), len(oldest))] > oldest {
			return false
		}
		if IsName(name) {
			names = append(names, Version{name, info.ETag})
		}
		return len(names) < r.Most
	})
	return names, err
}

// Merge returns the first names of several lists, at most most of them. A name that is in
// more than one list is returned once, with the version of the first of these lists.
func Merge(most int, lists ...[]Version) []Version {
	merged := slices.Concat(lists...)
	slices.SortStableFunc(merged, func(a, b Version) int { return strings.Compare(a.Name, b.Name) })
	merged = slices.CompactFunc(merged, func(a, b Version) bool { return a.Name == b.Name })
	return merged[:min(len(merged), most)]
}
