// Command tablerepair is the function that handles the routes /ace/table-repair and
// /ace/rules. It stores the task of a repair and starts the task runner. It also stores
// and returns rules documents.
package main

import "ace/shared/app/function"

func main() { function.ServeAPI() }
