// Command archive is the function of the routes /ace/diffs, /ace/reports and
// /ace/before-images: it lists and imports diff documents, and returns diff documents,
// reports and before-images.
package main

import "ace/shared/app/function"

func main() { function.ServeAPI() }
