// Package readme runs the commands of README.md against real nodes, exactly as a reader
// pastes them. It contains only tests.
package readme
