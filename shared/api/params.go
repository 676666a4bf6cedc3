package api

import (
	"fmt"
	"maps"
	"mime"
	"net/url"
	"slices"
	"unicode/utf8"

	"ace/shared/fault"
)

// The content types a body with parameters may have.
const (
	contentForm = "application/x-www-form-urlencoded"
	contentJSON = "application/json"
)

// Params is what a request gave: for each parameter name the values in order of appearance, and the argument in the
// path. A parameter given twice, in whatever place, is kept twice: the Decode functions refuse it.
type Params struct {
	values map[string][]string
	arg    string
}

// ParseParams collects the parameters of the query string and of a body of this content type. An empty body is fine
// whatever its type. What cannot be read as a whole is a fault with code Invalid.
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

// WithArg gives the same parameters with this argument of the path.
func (p Params) WithArg(arg string) Params {
	p.arg = arg
	return p
}

// Arg is the argument in the path, "" if the route has none.
func (p Params) Arg() string { return p.arg }

// names are the names given, sorted.
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
	return fault.New(fault.Invalid, "the Content-Type of the body is %s, allowed are %s and %s",
		shown(contentType), contentForm, contentJSON)
}

func parseForm(what, text string) (url.Values, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s is malformed: %s", what, formProblem(text))
	}
	return values, nil
}

// formProblem words what url.ParseQuery complains about without repeating the text, which may hold data.
func formProblem(text string) string {
	if _, err := url.QueryUnescape(text); err != nil {
		return "a % must be followed by two hexadecimal digits (write a % itself as %25)"
	}
	return "parameters are separated by & and a ; must be written as %3B"
}

// textProblem says why a value cannot be passed on as text, "" if it can.
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
