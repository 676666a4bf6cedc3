// Package cluster reads cluster definitions and returns the connection targets of the
// nodes.
//
// A definition is a pgEdge cluster file (jsonfile.go) or a group of sections in a
// pg_service.conf (servicefile.go), in a directory or in a bucket (place.go). Every Load
// reads the files again, so a change takes effect with the next request. A password that
// is missing in a definition is read from the password file of libpq. If a definition
// refers to a secret in AWS Secrets Manager or to a token of RDS, package awslogin
// fetches the password each time a connection is opened.
//
// The package opens no connection. It never prints a password: a Secret hides its text,
// and no error repeats a value of a definition that may be secret.
package cluster
