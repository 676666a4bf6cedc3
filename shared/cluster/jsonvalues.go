package cluster

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"ace/shared/fault"
)

const defaultPort = 5432

// scalar is the text of a value that files write in several ways, such as 5432 and "5432". Absent and null are "".
type scalar string

// UnmarshalJSON takes any value; what it may be is checked where the node's name is known.
func (s *scalar) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil { // a string, or null
		*s = scalar(text)
		return nil
	}
	*s = scalar(data)
	return nil
}

// portOf reads a port; "" is PostgreSQL's own.
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

// activeOf reads is_active.
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

// kindOf says what the JSON of a Go type looks like.
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
