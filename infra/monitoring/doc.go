// Package monitoring has the alert rules, the dashboard and the scrape configuration for
// the metrics of ACE. The package contains only tests, which compare these files, and
// docs/MONITORING.md, with the metrics that the service publishes.
package monitoring
