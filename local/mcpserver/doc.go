// Package mcpserver offers a running ACE service to an agent, as tools of the Model
// Context Protocol.
//
// An agent acts on texts that it reads, and a value of a row may contain instructions. So
// the package limits what an agent can do, whatever it has read:
//
//   - It can repair rows only if Options.AllowRepair is set, and only if it repeats the
//     counts of a dry run (see runRepair).
//   - It cannot send a table_filter, because that is SQL.
//   - The function add escapes control characters in every text of every answer.
//   - The rows and the values of an answer are limited in number and size.
//
// The package uses only the API of the service.
package mcpserver
