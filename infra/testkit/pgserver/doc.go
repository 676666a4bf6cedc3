// Package pgserver starts throw-away PostgreSQL servers on loopback, for tests, the demo
// and the benchmark (Linux only).
//
// A server lives in a directory of its own, listens on 127.0.0.1 and a Unix socket, does
// not fsync, and ends with the process that started it: the servers of a killed test end
// too, and the next Start removes their files. Initialised data directories are kept as
// templates below os.TempDir, so that a server is ready in about a quarter of a second.
// For tests it may be in memory (see package scratch), which makes databases much
// cheaper. Run by root, the servers run as the user postgres (or `nobody`), because
// PostgreSQL refuses root.
//
// It never touches a server that it did not start, and it speaks no SQL.
package pgserver
