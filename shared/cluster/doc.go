// Package cluster reads cluster definitions and returns the connection targets of the
// nodes.
//
// A definition is a pgEdge cluster file (jsonfile.go) or a group of sections in a
// pg_service.conf (servicefile.go), in a directory or in a bucket (place.go). Every Load
// reads the files again, so a change takes effect with the next request. A password that
// is missing in a definition is read from the password file of libpq. Package awslogin
// resolves passwords in AWS Secrets Manager, and tokens of RDS, when a connection is
// opened.
//
// The package opens no connection. It never prints a password: a Secret hides its text,
// and no error repeats a value of a definition that may be secret.
package cluster
