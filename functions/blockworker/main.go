// Command blockworker is the function that does one unit of work. It has no route: the
// task runner invokes it.
package main

import "ace/shared/app/function"

func main() { function.ServeUnits() }
