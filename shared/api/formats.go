package api

import (
	"fmt"
)

// The formats of a diff document.
const (
	FormatJSON = "json"
	FormatCSV  = "csv"
	FormatHTML = "html"
)

// formatProblem is the one place that knows which formats this version can deliver.
func formatProblem(name, value string) string {
	switch value {
	case FormatJSON:
		return ""
	case FormatCSV, FormatHTML:
		return fmt.Sprintf("%s is %s, which comes in a later version, available is %s", name, shown(value), FormatJSON)
	}
	return notAllowed(name, value, FormatJSON)
}
