package main

import (
	_ "embed"
)

//go:embed clean.txt
var cleanFile string

// clean returns the paths that must have no finding: the lines of clean.txt.
func clean() []string { return rows(cleanFile) }
