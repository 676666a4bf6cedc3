// Package api is the contract with the users: the routes, the parameters each of them takes, and the JSON each of them
// answers with.
//
// A request becomes a value in two steps: ParseParams collects the parameters of query string and body without
// knowing their meaning, and a Decode function turns them into a request struct that has been validated. Every problem
// with the parameters is reported at once, as one fault with code Invalid that names the parameter, the value given
// and what is allowed.
//
// The package is pure: it contacts nobody, reads no clock and no file, and knows no transport. What only a cluster
// definition or a database can tell (does this node exist, does this table) is checked by the use cases.
package api
