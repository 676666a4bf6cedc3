// Package pgtest makes clusters of real PostgreSQL servers for tests. A cluster of
// NewCluster is a fresh database of one name on n servers, which all tests of the process
// share: cheap, about a tenth of a second. One of Own has servers of its own, which the
// test may stop, kill and configure.
//
// A package that uses it calls Main from its TestMain. Nothing outlives the test process.
// A missing installation fails the test; no test is ever skipped.
//
// Roles and tablespaces belong to a server, not to a database: tests on shared servers
// give them unique names and drop them.
package pgtest
