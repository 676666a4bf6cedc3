package endpoint

import (
	"bytes"
	"encoding/json"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/visible"
)

const contentTypeJSON = "application/json"

// ErrorResponse returns the response to a request that failed with err. It does not log;
// see Mux.Fail.
func ErrorResponse(err error) Response {
	resp := Response{Status: statusOf(fault.CodeOf(err)), Header: headers(contentTypeJSON), Body: errorBody(err)}
	switch resp.Status {
	case statusUnavailable:
		resp.Header["Retry-After"] = retryAfter
	case statusUnauthorized:
		resp.Header["WWW-Authenticate"] = `Bearer realm="ace"`
	}
	return resp
}

func headers(contentType string) map[string]string {
	return map[string]string{"Cache-Control": "no-store", "Content-Type": contentType}
}

// encode returns answer as JSON. The JSON ends with a newline, so that a terminal shows
// the next prompt on a new line. Characters that a terminal would act upon are escaped.
func encode(answer any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(answer)
	return visible.JSON(b.Bytes()), err
}

func errorBody(err error) []byte {
	body, encodeErr := encode(api.Failure{Error: fault.PublicMessage(err)})
	if encodeErr != nil { // impossible: a string can always be encoded
		return nil
	}
	return body
}
