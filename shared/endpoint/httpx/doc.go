// Package httpx serves a Mux over net/http. It carries requests in and answers out, streams downloads with ranges and
// conditions, and keeps strangers out: a web page open in the operator's browser must not be able to start a repair
// through the tunnel (guard.go), and a bearer token can be demanded.
//
// It opens no socket and starts no goroutine; the server around it belongs to its caller.
package httpx
