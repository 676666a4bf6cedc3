package api

// The formats of a diff document: what it is, and how it can be rendered for people.
const (
	FormatJSON = "json"
	FormatCSV  = "csv"
	FormatHTML = "html"
)

func formatProblem(name, value string) string {
	return oneOf(name, value, FormatJSON, FormatCSV, FormatHTML)
}
