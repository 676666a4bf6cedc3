// Package client has the commands of ace that use the API: those that start a task and
// wait for it, and those that read tasks and documents. It is a client like any other: it
// imports neither the packages that execute tasks nor the archive. The caller passes the
// functions that need them, such as Options.Embed, which starts the service within this
// process.
//
// A command writes its result to Stdout and everything else (progress, warnings,
// questions) to Stderr. With --json, Stdout has the JSON of the API and nothing else.
package client
