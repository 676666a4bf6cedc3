package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"

	"ace/shared/fault"
)

// addJSON adds the parameters of a JSON body, which must be one flat object. It reads
// tokens instead of decoding into a map because a map would hide a duplicate name.
func addJSON(values url.Values, body []byte) error {
	if err := checkJSON(body); err != nil {
		return err
	}

	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // preserves every digit of a number
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return fault.New(fault.Invalid, `the JSON body must be one object of parameters, such as {"cluster_name": "demo"}`)
	}

	for d.More() {
		token, err := d.Token()
		name, isName := token.(string)
		if err != nil || !isName {
			return fault.Wrap(err, fault.Invalid, "the body is not valid JSON")
		}
		value, err := jsonValue(d, name)
		if err != nil {
			return err
		}
		values[name] = append(values[name], value)
	}
	return nil
}

// checkJSON returns an error unless the whole body is one JSON value in UTF-8.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		return fault.New(fault.Invalid, "the JSON body is not valid UTF-8")
	}
	var whole json.RawMessage
	err := json.Unmarshal(body, &whole)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fault.Wrap(err, fault.Invalid, "the body is not valid JSON at byte %d: %v", syntax.Offset, syntax)
	}
	return err
}

// jsonValue reads the value of a parameter and returns the text that a query string would
// have for it.
func jsonValue(d *json.Decoder, name string) (string, error) {
	token, err := d.Token()
	if err != nil {
		return "", fault.Wrap(err, fault.Invalid, "the body is not valid JSON")
	}

	switch v := token.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		if v {
			return "true", nil
		}
		return "false", nil
	case json.Delim:
		if v == '[' {
			return jsonList(d, name)
		}
	}
	return "", notScalar(name, token)
}

// jsonList reads the rest of an array of strings and returns the comma-separated list
// that a query string would have for it.
func jsonList(d *json.Decoder, name string) (string, error) {
	var items []string
	for d.More() {
		token, err := d.Token()
		item, isText := token.(string)
		if err != nil || !isText {
			return "", fault.New(fault.Invalid, "%s has a JSON array with other items than strings",
				quote(name))
		}
		items = append(items, item)
	}

	if _, err := d.Token(); err != nil { // reads the closing bracket
		return "", fault.Wrap(err, fault.Invalid, "the body is not valid JSON")
	}
	return strings.Join(items, ","), nil
}

func notScalar(name string, token json.Token) error {
	if token == nil {
		return fault.New(fault.Invalid, "%s is null; leave it out for the default", quote(name))
	}
	return fault.New(fault.Invalid, "%s is a JSON object; it must be a string, a number, true, false or an array of strings",
		quote(name))
}
