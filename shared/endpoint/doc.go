// Package endpoint turns a request into an answer, whatever transport brought it: find the route, check the method and
// the size, collect the parameters, decode and validate them, call the use case, encode what it returns.
//
// It promises that every answer carries Cache-Control: no-store, that every error is {"error": "..."} with the status
// of the one table in status.go, that a panic is a 500 and not a crash, and that an error of unknown origin is logged
// once and its text kept from the user. It knows nothing of sockets and events: packages httpx and lambdax below it
// carry requests and answers, and answer byte for byte the same.
package endpoint
