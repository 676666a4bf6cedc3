// Command tablerepair is the function of the routes /ace/table-repair and /ace/rules: it
// stores the task and starts the task runner, and stores and returns rules documents.
package main

import "ace/shared/app/function"

func main() { function.ServeAPI() }
