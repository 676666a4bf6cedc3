// Command archive is the function of the routes /ace/diffs, /ace/reports and
// /ace/before-images: it lists, imports and returns documents, as JSON, CSV or HTML.
package main

import "ace/shared/app/function"

func main() { function.ServeAPI() }
