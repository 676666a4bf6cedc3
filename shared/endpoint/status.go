package endpoint

import (
	"ace/shared/fault"
)

// retryAfter is how many seconds a client should wait when we are busy.
const retryAfter = "10"

// statusOf is the one table from an error's code to the HTTP status.
func statusOf(code fault.Code) int {
	switch code {
	case fault.Invalid:
		return 400
	case fault.Forbidden:
		return 403
	case fault.NotFound:
		return 404
	case fault.Method:
		return 405
	case fault.Conflict:
		return 409
	case fault.TooLarge:
		return 413
	case fault.Unavailable, fault.Cancelled: // a cancelled request means that we are shutting down or the client is gone
		return 503
	}
	return 500
}
