package pgserver

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// Installation is a set of PostgreSQL programs on this machine.
type Installation struct {
	Major  int    // such as 15
	BinDir string // absolute path of the directory with initdb and postgres
}

// Installations returns the installations for tests that name no major version, by
// ascending major version. They are those in the directories of ACE_PG_BINDIRS (a list
// like PATH), Debian's, and the newest of those that `make deps` creates below the
// module's .cache. Installations of the same major version are in this order.
func Installations() []Installation {
	return installationsIn(append(ownDirs(), newestPackage))
}

// EveryMajor returns the result of Installations and the installations of all other major
// versions below the module's .cache.
func EveryMajor() []Installation {
	return installationsIn(append(ownDirs(), everyPackage))
}

// installationsIn returns the installations in the directories that match patterns. A
// relative pattern is relative to the module's root.
func installationsIn(patterns []string) []Installation {
	var found []Installation
	for _, dir := range matching(patterns) {
		dir, err := filepath.Abs(dir)
		if err != nil {
			continue
		}
		if major, ok := majorOf(dir); ok {
			found = append(found, Installation{Major: major, BinDir: dir})
		}
	}
	slices.SortStableFunc(found, func(a, b Installation) int { return cmp.Compare(a.Major, b.Major) })
	return found
}

// Find returns the preferred installation of a major version.
func Find(major int) (Installation, error) {
	all := EveryMajor()
	i := slices.IndexFunc(all, func(in Installation) bool { return in.Major == major })
	if i < 0 {
		return Installation{}, fmt.Errorf("PostgreSQL %d is not installed (found: %v): run `make deps`", major, all)
	}
	return all[i], nil
}

// FindPsql returns the path of psql. It prefers the psql of one of the installations, but
// some installations contain only the server.
func FindPsql(installations []Installation) (string, error) {
	candidates := make([]string, 0, len(installations)+1)
	for _, installation := range installations {
		candidates = append(candidates, filepath.Join(installation.BinDir, "psql"))
	}
	for _, candidate := range append(candidates, "psql") {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no psql is installed: it is neither next to the servers (%v) nor in PATH", installations)
}

// String returns a name of the installation for messages.
func (in Installation) String() string {
	return fmt.Sprintf("PostgreSQL %d in %s", in.Major, in.BinDir)
}

// Patterns of the directories in which infra/postgres/install-majors.sh installs
// PostgreSQL from npm packages, relative to the module's root.
const (
	newestPackage = ".cache/pg*/node_modules/pg18-*/native/bin"
	everyPackage  = ".cache/pg*/node_modules/*/native/bin"
)

// ownDirs returns the patterns of the directories that may contain an installation of the
// machine's user, in order of preference.
func ownDirs() []string {
	return append(filepath.SplitList(os.Getenv("ACE_PG_BINDIRS")), "/usr/lib/postgresql/*/bin")
}

func matching(patterns []string) []string {
	var dirs []string
	for _, pattern := range patterns {
		if !filepath.IsAbs(pattern) && root != "" {
			pattern = filepath.Join(root, pattern)
		}
		matches, _ := filepath.Glob(pattern) // the only error is a malformed pattern, which matches nothing
		dirs = append(dirs, matches...)
	}
	return dirs
}

// root is the module's root. It is determined at the start of the process, because a
// test may change the working directory later.
var root = moduleRoot() //nolint:gochecknoglobals // see above

// Root returns the module's root, or "" if the process was started outside of it.
func Root() string { return root }

// moduleRoot returns the directory of go.mod at or above the working directory, or "" if
// there is none.
func moduleRoot() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

var versionPattern = regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`)

// majorOf returns the major version that the server program in a directory reports. It
// returns false if there is no working program.
func majorOf(binDir string) (int, bool) {
	if _, err := os.Stat(filepath.Join(binDir, "initdb")); err != nil {
		return 0, false
	}
	out, err := exec.Command(filepath.Join(binDir, "postgres"), "--version").Output()
	if err != nil {
		return 0, false
	}
	match := versionPattern.FindSubmatch(out)
	if match == nil {
		return 0, false
	}
	major, err := strconv.Atoi(string(match[1]))
	return major, err == nil
}
