// Command taskstatus is the function of the routes /ace/task-status, /ace/task-cancel,
// /ace/tasks, /ace/openapi.json, /healthz and /readyz, and of every path that belongs to
// no route.
package main

import "ace/shared/app/function"

func main() { function.ServeAPI() }
