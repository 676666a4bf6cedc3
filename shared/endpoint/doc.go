// Package endpoint handles a request independently of its transport. It finds the route,
// checks the method and the size, and decodes and validates the parameters. Then it calls
// the use case (a function of package service) and encodes its answer.
//
// Every response has Cache-Control: no-store. Every error is {"error": "..."} with a
// status according to status.go. A panic is a 500 response. An error that is not a fault
// is logged once, and its text is not shown to the user. The package knows neither
// sockets nor Lambda events: the packages httpx and lambdax are the transports. Both send
// the same responses, except that lambdax sends a redirect instead of a download.
package endpoint
