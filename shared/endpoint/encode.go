package endpoint

import (
	"bytes"
	"encoding/json"

	"ace/shared/fault"
)

const contentTypeJSON = "application/json"

// ErrorResponse is the answer that tells the user of an error. It does not log: see Mux.Fail.
func ErrorResponse(err error) Response {
	resp := Response{Status: statusOf(fault.CodeOf(err)), Header: headers(contentTypeJSON), Body: errorBody(err)}
	if resp.Status == 503 {
		resp.Header["Retry-After"] = retryAfter
	}
	return resp
}

func headers(contentType string) map[string]string {
	return map[string]string{"Cache-Control": "no-store", "Content-Type": contentType}
}

// encode gives JSON with a newline at the end, as friendly to a terminal as to a program.
func encode(answer any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(answer)
	return b.Bytes(), err
}

func errorBody(err error) []byte {
	body, encodeErr := encode(struct {
		Error string `json:"error"`
	}{fault.PublicMessage(err)})
	if encodeErr != nil { // a string always encodes
		return nil
	}
	return body
}
