// Command repsetdiff is the function of the route /ace/repset-diff: it stores the task
// and starts the task runner.
package main

import "ace/shared/app/function"

func main() { function.ServeAPI() }
