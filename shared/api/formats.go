package api

// The formats of a diff document: the document itself (JSON) and its renderings for
// people.
const (
	FormatJSON = "json"
	FormatCSV  = "csv"
	FormatHTML = "html"
)

func formats() []string { return []string{FormatJSON, FormatCSV, FormatHTML} }

func formatProblem(name, value string) string { return oneOf(name, value, formats()...) }
