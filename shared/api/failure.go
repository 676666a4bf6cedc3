package api

// Failure answers every request that is refused or fails.
type Failure struct {
	Error string `json:"error"` // a message that names the parameter, node or task, its value and what is allowed
}
