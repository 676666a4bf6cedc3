package endpoint

import (
	"ace/shared/fault"
)

// retryAfter is the number of seconds that a client should wait after a 503 response.
const retryAfter = "5"

// The methods and statuses that a Mux uses. Package net/http has them too, but only a
// transport may import it.
const (
	methodGet  = "GET"
	methodHead = "HEAD"
	methodPost = "POST"

	statusOK               = 200
	statusUnauthorized     = 401
	statusMethodNotAllowed = 405
	statusInternal         = 500
	statusUnavailable      = 503
)

// statusOf returns the HTTP status of an error code.
func statusOf(code fault.Code) int {
	switch code {
	case fault.Invalid:
		return 400
	case fault.Unauthorized:
		return statusUnauthorized
	case fault.Forbidden:
		return 403
	case fault.NotFound:
		return 404
	case fault.Method:
		return statusMethodNotAllowed
	case fault.Conflict:
		return 409
	case fault.TooLarge:
		return 413
	case fault.Unavailable, fault.Cancelled: // a request is cancelled by a shutdown or by the client
		return statusUnavailable
	}
	return statusInternal
}
