// Package httpx serves a Mux over net/http. It streams downloads, with ranges and
// conditional requests. It rejects requests from foreign web pages: a page in the
// operator's browser must not be able to start a repair through the operator's tunnel to
// ACE (guard.go). It can require a bearer token.
//
// The package opens no socket and starts no goroutine. The caller owns the server.
package httpx
