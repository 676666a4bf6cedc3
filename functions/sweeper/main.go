// Command sweeper is the function that restarts tasks without a runner. It has no route:
// a schedule invokes it.
package main

import "ace/shared/app/function"

func main() { function.ServeSweep() }
