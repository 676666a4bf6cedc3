package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"ace/shared/config"
	"ace/shared/private"
)

// doubts returns what is unusual about the files that name the service's servers and
// jobs: that other users may change them, or read the passwords in them. services are the
// service files.
func doubts(c config.Config, services []string) []string {
	files := slices.Clone(services)
	if _, inBucket, _ := c.ClustersBucket(); !inBucket {
		for _, pattern := range []string{"", "*.json", "*/*.json", "pg_service.conf"} {
			found, _ := filepath.Glob(filepath.Join(c.Clusters, pattern)) // a path that is no pattern finds nothing
			files = append(files, found...)
		}
	}
	if c.Schedules != "" {
		files = append(files, c.Schedules)
	}

	password := regexp.MustCompile(`"db_password"\s*:\s*"[^"]|(?m:^\s*password\s*=\s*\S)`)
	var found []string
	for _, path := range files {
		content, _ := os.ReadFile(path) // what cannot be read is reported where it is needed
		if doubt := private.Doubts(path, password.Match(content)); doubt != "" && !slices.Contains(found, doubt) {
			found = append(found, doubt)
		}
	}
	return found
}
