// Command taskrunner is the function that runs one task. It has no route: submissions,
// the sweep and the function itself invoke it.
package main

import "ace/shared/app/function"

func main() { function.ServeTasks() }
