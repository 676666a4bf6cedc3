// Command taskrunner is the function that runs one task. It has no route: the functions
// that store tasks, the sweeper and the task runner itself invoke it.
package main

import "ace/shared/app/function"

func main() { function.ServeTasks() }
