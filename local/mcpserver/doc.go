// Package mcpserver offers a running ACE service to an agent, as tools of the Model
// Context Protocol.
//
// An agent acts on texts that it reads, and a value of a row may contain instructions. So
// the package limits what an agent can do, whatever it has read:
//
//   - A repair needs Options.AllowRepair and the counts of a dry run (runRepair).
//   - A table_filter, which is SQL, cannot be sent.
//   - Control characters are escaped in every text of an answer, in one place (add).
//   - The rows and the values of an answer are limited in number and size.
//
// It uses the API of the service and nothing else.
package mcpserver
