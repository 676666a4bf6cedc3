package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"ace/shared/config"
	"ace/shared/private"
)

// doubts returns a warning for each cluster definition, service file and schedules file
// that other users can change, or whose passwords they can read.
func doubts(c config.Config, services []config.ServiceFile) []string {
	var files []string
	for _, service := range services {
		files = append(files, service.Path)
	}
	if _, inBucket, _ := c.ClustersBucket(); !inBucket {
		for _, pattern := range []string{"", "*.json", "*/*.json", "pg_service.conf"} {
			found, _ := filepath.Glob(filepath.Join(c.Clusters, pattern)) // if the path is not a valid pattern, nothing is found
			files = append(files, found...)
		}
	}
	if c.Schedules != "" {
		files = append(files, c.Schedules)
	}

	password := regexp.MustCompile(`"db_password"\s*:\s*"[^"]|(?m:^\s*password\s*=\s*\S)`)
	var found []string
	for _, path := range files {
		content, _ := os.ReadFile(path) // a file that cannot be read is reported by the code that needs it
		if doubt := private.Doubts(path, password.Match(content)); doubt != "" && !slices.Contains(found, doubt) {
			found = append(found, doubt)
		}
	}
	return found
}
