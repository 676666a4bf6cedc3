// Command taskrunner is the function that runs one task. It has no route: the functions
// that store tasks and the sweeper invoke it. A task runner whose time limit is near also
// invokes it, to continue the task.
package main

import "ace/shared/app/function"

func main() { function.ServeTasks() }
