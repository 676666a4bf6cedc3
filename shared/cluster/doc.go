// Package cluster knows where the nodes are: it reads cluster definitions and gives connection targets.
//
// A definition is a pgEdge cluster file (jsonfile.go) or a group of sections in a pg_service.conf (servicefile.go).
// Files are read anew for every Load, so a change takes effect with the next request. A password that a definition
// leaves out is looked up in the password file of libpq; one that is in AWS Secrets Manager, or is a token of RDS, is
// found by package awslogin when a connection is made. The files lie in a directory or in a bucket (place.go).
//
// The package opens no connection, and it never prints a password: Secret hides itself, and no error repeats a value
// from a definition that may be secret.
package cluster
