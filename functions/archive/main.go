// Command archive is the function of the routes /ace/diffs, /ace/reports,
// /ace/before-images and /ace/audit: it lists and imports diff documents, returns diff
// documents, reports and before-images, and lists the audit log. It refuses /ace/backup.
package main

import "ace/shared/app/function"

func main() { function.ServeAPI() }
