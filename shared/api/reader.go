package api

import (
	"fmt"
	"slices"
	"strings"
)

// reader hands out the parameters of a request one by one, and remembers what was wrong with them and which names were
// asked for: any other name is unknown.
type reader struct {
	params   Params
	asked    []string
	problems problems
}

func newReader(p Params) *reader { return &reader{params: p} }

// value is the one value of a parameter; ok is false if it is absent, or if it is unusable and that has been noted.
func (r *reader) value(name string) (value string, ok bool) {
	r.asked = append(r.asked, name)
	given := r.params.values[name]
	switch {
	case len(given) == 0:
		return "", false
	case len(given) > 1:
		r.problems.add(name, fmt.Sprintf("%s is given %d times, allowed is once", name, len(given)))
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

// text is a parameter as it was given, or the default.
func (r *reader) text(name, byDefault string) string {
	if value, ok := r.value(name); ok {
		return value
	}
	return byDefault
}

// parsed is a parameter converted by parse, or the default. What parse refuses is reported with what is allowed.
func parsed[T any](r *reader, name string, byDefault T, allowed string, parse func(string) (T, error)) T {
	value, ok := r.value(name)
	if !ok {
		return byDefault
	}
	converted, err := parse(value)
	if err != nil {
		r.problems.add(name, notAllowed(name, value, allowed))
		return byDefault
	}
	return converted
}

// flag is a boolean that is false by default.
func (r *reader) flag(name string) bool { return parsed(r, name, false, allowedBool, parseBool) }

// worded is like parsed for a parse function whose error says by itself what is wrong and what is allowed.
func worded[T any](r *reader, name string, parse func(string) (T, error)) T {
	var none T
	value, ok := r.value(name)
	if !ok {
		return none
	}
	converted, err := parse(value)
	if err != nil {
		r.problems.add(name, fmt.Sprintf("%s is %s, %v", name, shown(value), err))
		return none
	}
	return converted
}

// finish adds what validation found, except about parameters that could not be read at all, and unknown names. The
// problems come in the order in which the parameters were asked for.
func (r *reader) finish(found problems) error {
	for _, one := range found {
		if !r.problems.has(one.param) {
			r.problems = append(r.problems, one)
		}
	}
	slices.SortStableFunc(r.problems, func(a, b problem) int {
		return slices.Index(r.asked, a.param) - slices.Index(r.asked, b.param)
	})
	r.problems.add("", r.unknown())
	return r.problems.err()
}

// unknown names the parameters that nobody asked for, what they may have meant, and those there are.
func (r *reader) unknown() string {
	var names []string
	for _, name := range r.params.names() {
		if slices.Contains(r.asked, name) {
			continue
		}
		text := shown(name)
		if near := nearest(name, r.asked); near != "" {
			text += fmt.Sprintf(" (did you mean %s?)", near)
		}
		names = append(names, text)
	}
	switch {
	case len(names) == 0:
		return ""
	case len(r.asked) == 0:
		return fmt.Sprintf("unknown parameter %s, this path takes none", listed(names))
	}
	return fmt.Sprintf("unknown parameter %s, allowed are %s", listed(names), strings.Join(r.asked, ", "))
}
