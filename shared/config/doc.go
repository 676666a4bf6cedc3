// Package config turns the environment into one typed value. It is the only package that knows the names of variables.
//
// Load reports everything that is wrong at once, one line per variable: its name, the value given and what is allowed.
// A Config holds no secret: the token stays in its file until ReadToken, and credentials of the object store come from
// the standard AWS chain. The package reads the environment only as a map it is given, so that flags can be laid over it.
package config
