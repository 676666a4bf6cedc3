// Package pgtest creates clusters of real PostgreSQL servers for tests. A cluster of
// NewCluster is a new database with the same name on n servers that all tests of the
// process share. It is ready after about a tenth of a second. A cluster of Own has its
// own servers, which the test may stop, kill and configure.
//
// A package that uses pgtest must call Main from its TestMain, because Main stops the
// shared servers. Nothing outlives the test process. A missing installation fails the
// test; no test is ever skipped.
//
// Roles and tablespaces belong to a server, not to a database. So tests on shared servers
// must use unique names for them, and drop them.
package pgtest
