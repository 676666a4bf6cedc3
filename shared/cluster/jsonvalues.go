package cluster

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"ace/shared/fault"
)

const defaultPort = 5432

// scalar is the text of a value that a file may contain as a number or as a string, such
// as 5432 or "5432". The text is "" if the value is absent or null.
type scalar string

// UnmarshalJSON accepts any value. The value is validated later, when the node's name is
// known for the error.
func (s *scalar) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil { // a string, or null
		*s = scalar(text)
		return nil
	}
	*s = scalar(data)
	return nil
}

// portOf parses a port. "" means PostgreSQL's default. In errors, where names the file,
// and owner the node or section.
func portOf(where, owner string, text string) (uint16, error) {
	if text == "" {
		return defaultPort, nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, fault.New(fault.Invalid, "%s: port of %s is %.40q; it must be a number from 1 to 65535", where, owner, text)
	}
	return uint16(port), nil
}

// activeOf parses the value of is_active. It returns byDefault if the value is absent. In
// errors, where names the file and owner the node.
func activeOf(where, owner string, text scalar, byDefault bool) (bool, error) {
	switch strings.ToLower(string(text)) {
	case "":
		return byDefault, nil
	case "on", "yes", "true":
		return true, nil
	case "off", "no", "false":
		return false, nil
	}
	return false, fault.New(fault.Invalid, `%s: is_active of %s is %.40q; it must be "on" or "off"`, where, owner, string(text))
}

// kindOf returns the JSON type that is decoded to the Go type t, in words for a message.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "an array"
	}
	return "an object"
}
