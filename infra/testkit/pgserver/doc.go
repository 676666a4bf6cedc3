// Package pgserver starts throw-away PostgreSQL servers on loopback, for tests, the demo
// and the benchmark (Linux only).
//
// A server has its own directory, listens on 127.0.0.1 and a Unix socket, does not call
// fsync, and ends with the process that started it. So the servers of a killed test also
// end, and the next Start removes their files. Initialised data directories are kept as
// templates below os.TempDir, so that a server is ready in about a quarter of a second.
// The files of servers for tests may be in memory (see package scratch), so that a
// database is created much faster. If this process runs as root, the servers run as the
// user postgres (or `nobody`), because PostgreSQL refuses to run as root.
//
// The package never accesses a server that it did not start, and it sends no SQL.
package pgserver
