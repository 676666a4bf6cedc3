// Package imports checks which packages depend on which others, also indirectly. The
// linter's rules (depguard in .golangci.yml) cannot check this, because they apply to the
// imports of one file. The package contains only tests.
//
// The tests read the source files of the module and run no command, so that `go test`
// detects when a cached result is outdated.
package imports
