// Command tablediff is the function of the route /ace/table-diff: it stores the task and
// starts the task runner.
package main

import "ace/shared/app/function"

func main() { function.ServeAPI() }
