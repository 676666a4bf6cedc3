// Package api is the contract with the users: the routes, the parameters of each route,
// and the JSON of each response.
//
// A request is decoded in two steps. ParseParams collects the parameters of the query
// string and the body without knowing their meaning. A Decode function then converts them
// to a request struct and validates it. All problems with the parameters are reported
// together, in one fault with code Invalid that names each parameter, its value and what
// is allowed.
//
// The package is pure: it uses no network, no clock and no file, and does not depend on
// the transport. Package service checks what depends on a cluster definition or a
// database, such as whether a node or a table exists.
package api
