package main

import (
	"fmt"
	"runtime/debug"
)

// The linker sets release and releaseCommit in the packages of a release, see
// infra/release/build.sh. In other builds they are empty.
var release, releaseCommit string //nolint:gochecknoglobals // only the linker writes them

// version returns the version, the commit and the Go version with which the program was
// built, such as "ace v1.2.0 (commit 0123456789ab), go1.26.1".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "ace, of an unknown version"
	}
	if release != "" {
		return fmt.Sprintf("ace %s (commit %s), %s", release, releaseCommit, info.GoVersion)
	}

	settings := make(map[string]string, len(info.Settings))
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}

	const shortHash = 12
	commit := settings["vcs.revision"]
	switch {
	case commit == "":
		commit = "unknown"
	case settings["vcs.modified"] == "true":
		commit = commit[:min(len(commit), shortHash)] + " with changes"
	default:
		commit = commit[:min(len(commit), shortHash)]
	}
	return fmt.Sprintf("ace %s (commit %s), %s", info.Main.Version, commit, info.GoVersion)
}
