package api

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"ace/shared/fault"
)

const (
	// maxShown is the maximum number of bytes of a user's value that an error repeats.
	maxShown = 60
	// maxListed is the maximum number of the user's names that an error lists.
	maxListed = 5
)

// problem is one error in one parameter.
type problem struct {
	param string
	text  string
}

// problems are all errors of a request.
type problems []problem

// add adds a problem, unless text is empty.
func (p *problems) add(param, text string) {
	if text != "" {
		*p = append(*p, problem{param, text})
	}
}

// has reports whether a parameter has a problem already.
func (p problems) has(param string) bool {
	for _, one := range p {
		if one.param == param {
			return true
		}
	}
	return false
}

// err returns one fault that lists all problems, or nil if there are none.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	texts := make([]string, len(p))
	for i, one := range p {
		texts[i] = one.text
	}
	return fault.New(fault.Invalid, "%s", strings.Join(texts, "; "))
}

// joinFirst joins the first maxListed names with commas and counts the others.
func joinFirst(names []string) string {
	if len(names) <= maxListed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
}

// notAllowed returns the usual message about a value that is not allowed. It names the
// parameter, the value and what is allowed.
func notAllowed(name, value, allowed string) string {
	return fmt.Sprintf("%s is %s; it must be %s", name, quote(value), allowed)
}

// quote quotes a user's value for an error: on one line, with control characters escaped,
// and shortened if it is long.
func quote(value string) string {
	if len(value) <= maxShown {
		return strconv.Quote(value)
	}
	cut := maxShown
	for cut > maxShown-utf8.UTFMax && !utf8.RuneStart(value[cut]) {
		cut--
	}
	return fmt.Sprintf("%s... (%d bytes)", strconv.Quote(value[:cut]), len(value))
}
