package api

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"ace/shared/fault"
)

const (
	// maxShown is how many bytes of a user's value an error repeats.
	maxShown = 60
	// maxListed is how many names of the user's an error lists.
	maxListed = 5
)

// problem is one thing wrong with one parameter.
type problem struct {
	param string
	text  string
}

// problems is everything wrong with a request.
type problems []problem

// add notes a problem; an empty text is none.
func (p *problems) add(param, text string) {
	if text != "" {
		*p = append(*p, problem{param, text})
	}
}

// has says whether this parameter has a problem already.
func (p problems) has(param string) bool {
	for _, one := range p {
		if one.param == param {
			return true
		}
	}
	return false
}

// err is nil without problems, else one fault that lists them.
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

// listed joins names with commas, the first few if there are many.
func listed(names []string) string {
	if len(names) <= maxListed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
}

// notAllowed is the usual wording: the parameter, the value given, what is allowed.
func notAllowed(name, value, allowed string) string {
	return fmt.Sprintf("%s is %s, allowed is %s", name, shown(value), allowed)
}

// shown quotes a user's value for an error: on one line, control characters escaped, shortened if long.
func shown(value string) string {
	if len(value) <= maxShown {
		return strconv.Quote(value)
	}
	cut := maxShown
	for cut > maxShown-utf8.UTFMax && !utf8.RuneStart(value[cut]) {
		cut--
	}
	return fmt.Sprintf("%s... (%d bytes)", strconv.Quote(value[:cut]), len(value))
}
