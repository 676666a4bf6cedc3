package main

import (
	_ "embed"
)

//go:embed clean.txt
var cleanFile string //nolint:gochecknoglobals // go:embed has no other place for it

// clean returns the paths whose prose follows the standard.
func clean() []string { return rows(cleanFile) }
