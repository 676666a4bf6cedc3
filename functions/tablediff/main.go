// Command tablediff is the function of the routes /ace/table-diff and
// /ace/replication-diff: it stores the task and starts the task runner.
package main

import "ace/shared/app/function"

func main() { function.ServeAPI() }
