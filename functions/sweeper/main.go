// Command sweeper is the function that starts the open tasks that no runner executes. It
// has no route: a schedule invokes it.
package main

import "ace/shared/app/function"

func main() { function.ServeSweep() }
