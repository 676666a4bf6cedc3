// Package readme runs the commands of README.md against real nodes, as a reader pastes
// them. It holds tests only.
package readme
