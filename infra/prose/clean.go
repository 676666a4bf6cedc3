package main

import (
	_ "embed"
)

//go:embed clean.txt
var cleanFile string

// clean returns the paths whose prose follows the standard.
func clean() []string { return rows(cleanFile) }
