// Package imports checks who reaches whom across several imports: what the linter's rules
// (depguard, .golangci.yml) cannot see, because they look at one file's own imports. It
// holds tests only.
//
// It reads the sources of the module itself and runs no command, so that `go test` knows
// when its answer is stale.
package imports
