// Package page is the web page of `ace serve`. It shows the clusters, the tables with
// their last verdicts, the tasks and the archive, and it starts comparisons, reruns,
// repairs and undos.
//
// The page never calls the engine directly. It reads and starts everything through the
// endpoints of the API (see Options.API), which validate the values of a form like those
// of any other request. Only the ids of the open tasks come from elsewhere
// (Options.OpenTasks). Package render shows the rows that differ, as in the HTML report.
//
// Pages can be read without scripts. A page loads no other files: it contains its style
// and its scripts, and its content security policy allows no others. Every text from a
// database, a request or a task is escaped.
//
// A GET changes nothing. Every change is a POST of a form with a token, which only pages
// of this process have (see csrf). The guard of package httpx must have accepted the
// request before. A repair is started only after a dry run, by a form that names the
// table and the nodes.
//
// Run reads the data that takes time in the background. It checks the nodes and reads the
// history of the archive when a page asks for them. While pages are open, it reads the
// progress of tasks once for all of them.
package page
