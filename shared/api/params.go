package api

import (
	"fmt"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"ace/shared/fault"
)

// The content types that a body with parameters may have.
const (
	contentForm = "application/x-www-form-urlencoded"
	contentJSON = "application/json"
)

// Params holds the parameters of a request: for each name its values in order of
// appearance, and the argument in the path. If a parameter occurs more than once, in the
// query string or the body, it has several values, and the Decode functions reject it.
type Params struct {
	values map[string][]string
	arg    string
}

// ParseParams collects the parameters of a query string and of a body with the given
// content type. The content type of an empty body is ignored. A malformed query string or
// body is a fault with code Invalid.
func ParseParams(rawQuery, contentType string, body []byte) (Params, error) {
	values, err := parseForm("the query string", rawQuery)
	if err != nil {
		return Params{}, err
	}
	if len(body) > 0 {
		err = addBody(values, contentType, body)
	}
	return Params{values: values}, err
}

// WithArg returns the same parameters with arg as the argument in the path.
func (p Params) WithArg(arg string) Params {
	p.arg = arg
	return p
}

// Arg returns the argument in the path, or "" if the route has none.
func (p Params) Arg() string { return p.arg }

// names returns the sorted names of the parameters.
func (p Params) names() []string { return slices.Sorted(maps.Keys(p.values)) }

func addBody(values url.Values, contentType string, body []byte) error {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		mediaType = ""
	}

	switch mediaType {
	case contentForm:
		form, err := parseForm("the form in the body", string(body))
		for name, given := range form {
			values[name] = append(values[name], given...)
		}
		return err
	case contentJSON:
		return addJSON(values, body)
	}
	return fault.New(fault.Invalid, "the Content-Type of the body is %s; it must be %s or %s",
		quote(contentType), contentForm, contentJSON)
}

func parseForm(what, text string) (url.Values, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s is malformed: %s", what, formProblem(text))
	}
	return values, nil
}

// maxFormParams is the number of parameters above which url.ParseQuery fails.
const maxFormParams = 10_000

// formProblem describes the error of url.ParseQuery without repeating the text, which may
// hold data.
func formProblem(text string) string {
	if strings.Count(text, "&") >= maxFormParams {
		return fmt.Sprintf("it has more than %d parameters", maxFormParams)
	}
	if _, err := url.QueryUnescape(text); err != nil {
		return "a % must be followed by two hexadecimal digits (write a % itself as %25)"
	}
	return "parameters are separated by & and a ; must be written as %3B"
}

// textProblem returns why a value is not valid as text, or "" if it is valid.
func textProblem(name, value string) string {
	if !utf8.ValidString(value) {
		return fmt.Sprintf("%s is not valid UTF-8", name)
	}
	for i := range len(value) {
		if value[i] == 0 {
			return fmt.Sprintf("%s contains a NUL character, which PostgreSQL does not allow", name)
		}
	}
	return ""
}
