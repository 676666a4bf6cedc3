package api

// Right is what a caller must be allowed to do to use a route.
type Right string

// The rights. No right includes another right.
const (
	// RightRead allows to see tasks, documents, reports, clusters and tables.
	RightRead Right = "read"
	// RightCompare allows to start comparisons and to import documents.
	RightCompare Right = "compare"
	// RightRepair allows to change rows: to start repairs and undos, to store rules, and to
	// read the before-images. It also allows to cancel the tasks of other callers.
	RightRepair Right = "repair"

	// RightAny is not a right of a caller. It means that the caller must have at least one
	// right. Which right the request needs depends on the task, so the handler of the
	// request checks that.
	RightAny Right = "any"
	// RightNone means that a route needs no right.
	RightNone Right = ""
)

// Rights returns all rights that a caller can have.
func Rights() []Right { return []Right{RightRead, RightCompare, RightRepair} }

// Right returns the right that a request with this method needs. A POST to RouteDiffs or
// RouteRules stores a document.
func (r Route) Right(method string) Right {
	stores := method == "POST"
	switch r {
	case RouteTableDiff, RouteTableRerun, RouteSchemaDiff, RouteRepsetDiff, RouteReplicationDiff:
		return RightCompare
	case RouteTableRepair, RouteTableUndo, RouteBefore, RouteBackup:
		return RightRepair
	case RouteTaskStatus, RouteTaskCancel:
		return RightAny
	case RouteOpenAPI, RouteHealth, RouteReady:
		return RightNone
	case RouteDiffs:
		if stores {
			return RightCompare
		}
	case RouteRules:
		if stores {
			return RightRepair
		}
	}
	return RightRead
}

// TaskRight returns the right that is needed to start a task of this type.
func TaskRight(taskType string) Right {
	switch taskType {
	case TypeTableRepair, TypeTableUndo:
		return RightRepair
	}
	return RightCompare
}

// RequestedBy names who requested something, and from where. It is stored with a task and
// with each entry of the audit log.
type RequestedBy struct {
	// Caller is the name of the caller: a name of the callers file, "token" (the token of
	// ACE_TOKEN_FILE), "anonymous" (no token is required), "schedule", "command" (a command
	// that ran the service itself), or the ARN of an identity of AWS.
	Caller string `json:"caller"`
	// Job is the job of the schedules file. It is set only for the caller "schedule".
	Job string `json:"job,omitempty"`
	// From is the address from which the request came, or "uid" and the id of the user whose
	// process was at the other end of a Unix socket.
	From string `json:"from,omitempty"`
	// Via is how the request was sent: "http", "page", "lambda", "schedule" or "command".
	Via string `json:"via,omitempty"`
	// UserAgent is the program that sent the request, as it names itself.
	UserAgent string `json:"user_agent,omitempty"`
	// Audit is the id of the entry in the audit log.
	Audit string `json:"audit,omitempty"`
}

// String returns the caller and where the request came from, such as "ci from 10.0.0.5"
// or "schedule, job nightly".
func (r RequestedBy) String() string {
	switch {
	case r.Job != "":
		return r.Caller + ", job " + r.Job
	case r.From != "":
		return r.Caller + " from " + r.From
	}
	return r.Caller
}
