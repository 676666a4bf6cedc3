// Package page is the web page of `ace serve`. It shows the clusters, the tables with
// their last verdicts, the tasks and the archive, and it starts comparisons, reruns,
// repairs and undos.
//
// The page has no path of its own to the engine. It reads and starts everything through
// the endpoints of the API (see Options.API), which validate a form like any other
// request. The rows that differ are shown by package render, like in the HTML report.
//
// Reading works without scripts. A page loads nothing: its style and its script are part
// of it, and its content security policy allows nothing else. Every text from a database,
// a request or a task is escaped.
//
// A GET changes nothing. A form is a POST with a token that only pages of this process
// have (see csrf), and has passed the guard of package httpx. A repair is started only
// after a dry run, by a form that names the table and the nodes.
//
// What takes time (the check of the nodes, the history of the archive, the progress of
// tasks) is read by Run, once for all open pages, and only while pages are open.
package page
