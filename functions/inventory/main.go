// Command inventory is the function of the routes /ace/clusters, /ace/cluster-check and
// /ace/tables: it lists cluster definitions, connects to nodes and lists tables.
package main

import "ace/shared/app/function"

func main() { function.ServeAPI() }
