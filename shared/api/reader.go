package api

import (
	"fmt"
	"slices"
	"strings"
)

// reader reads the parameters of a request one by one. It records the problems of the
// values, and the names that it has read. All other names are unknown parameters.
type reader struct {
	params   Params
	read     []string // the names that were read
	problems problems
}

func newReader(p Params) *reader { return &reader{params: p} }

// value returns the value of a parameter. If the parameter is absent, ok is false. If the
// parameter has a problem, value records the problem, and ok is false too.
func (r *reader) value(name string) (value string, ok bool) {
	r.read = append(r.read, name)
	given := r.params.values[name]
	switch {
	case len(given) == 0:
		return "", false
	case len(given) > 1:
		r.problems.add(name, fmt.Sprintf("%s is given %d times; give it once", name, len(given)))
		return "", false
	case strings.TrimSpace(given[0]) == "":
		r.problems.add(name, name+" is given without a value")
		return "", false
	}

	if text := textProblem(name, given[0]); text != "" {
		r.problems.add(name, text)
		return "", false
	}
	return given[0], true
}

// text returns the value of a parameter, or the default.
func (r *reader) text(name, byDefault string) string {
	if value, ok := r.value(name); ok {
		return value
	}
	return byDefault
}

// parse returns the value of a parameter, converted by convert. It returns the default if
// the parameter is absent or invalid. If convert fails, parse records a problem that
// states what is allowed.
func parse[T any](r *reader, name string, byDefault T, allowed string, convert func(string) (T, error)) T {
	value, ok := r.value(name)
	if !ok {
		return byDefault
	}
	converted, err := convert(value)
	if err != nil {
		r.problems.add(name, notAllowed(name, value, allowed))
		return byDefault
	}
	return converted
}

// flag returns the value of a boolean parameter, which is false by default.
func (r *reader) flag(name string) bool { return parse(r, name, false, allowedBool, parseBool) }

// parseWith is like parse for a convert function whose error states what is wrong and
// what is allowed. The default is the zero value of T.
func parseWith[T any](r *reader, name string, convert func(string) (T, error)) T {
	var none T
	value, ok := r.value(name)
	if !ok {
		return none
	}
	converted, err := convert(value)
	if err != nil {
		r.problems.add(name, fmt.Sprintf("%s is %s; %v", name, quote(value), err))
		return none
	}
	return converted
}

// finish returns one fault with all problems: those that were recorded while the
// parameters were read, those in found (from the validation), and the unknown parameters.
// If a parameter could not be read, finish omits the problems in found that concern it.
// The problems are in the order in which the parameters were read.
func (r *reader) finish(found problems) error {
	for _, one := range found {
		if !r.problems.has(one.param) {
			r.problems = append(r.problems, one)
		}
	}
	slices.SortStableFunc(r.problems, func(a, b problem) int {
		return slices.Index(r.read, a.param) - slices.Index(r.read, b.param)
	})
	r.problems.add("", r.unknown())
	return r.problems.err()
}

// unknown returns a message that lists the unknown parameters, each with a known
// parameter of similar name, and then the known parameters. It returns "" if there is no
// unknown parameter.
func (r *reader) unknown() string {
	var names []string
	for _, name := range r.params.names() {
		if slices.Contains(r.read, name) {
			continue
		}
		text := quote(name)
		if near := Nearest(name, r.read); near != "" {
			text += fmt.Sprintf(" (did you mean %s?)", near)
		}
		names = append(names, text)
	}

	switch {
	case len(names) == 0:
		return ""
	case len(r.read) == 0:
		return fmt.Sprintf("unknown parameter %s; this path has no parameters", joinFirst(names))
	}
	return fmt.Sprintf("unknown parameter %s; the parameters are %s", joinFirst(names), strings.Join(r.read, ", "))
}
