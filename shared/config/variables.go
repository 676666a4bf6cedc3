package config

import (
	"cmp"
	"fmt"
	"iter"
	"os"
	"reflect"
	"strings"

	"ace/shared/fault"
)

// Variable describes one environment variable, so that a command can offer it as a flag.
type Variable struct {
	Name    string // the name of the variable, such as ACE_MAX_TASKS
	Default string
	Usage   string // the purpose of the variable
	Allowed string // the values that are allowed
}

// Flag returns the name of the flag for the variable, such as max-tasks.
func (v Variable) Flag() string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(v.Name, prefix)), "_", "-")
}

// Variables returns the variables that may also be set by a flag, in the order of the
// fields of Config.
func Variables() []Variable {
	var all []Variable
	for field := range fields() {
		if allowed := field.Tag.Get("allowed"); allowed != "" {
			all = append(all, Variable{field.Tag.Get("env"), field.Tag.Get("envDefault"), field.Tag.Get("usage"), allowed})
		}
	}
	return all
}

// Dump returns the configuration as lines NAME=value. The text contains no secret.
func (c Config) Dump() string {
	var b strings.Builder
	value := reflect.ValueOf(c)
	for field := range fields() {
		if field.Tag.Get("allowed") != "" {
			fmt.Fprintf(&b, "%s=%s\n", field.Tag.Get("env"), format(value.FieldByIndex(field.Index).Interface()))
		}
	}
	return b.String()
}

// Origin is the place from which a value of the configuration was read.
type Origin string

// The origins.
const (
	FromDefault     Origin = "default"
	FromEnvironment Origin = "environment"
	FromFlag        Origin = "flag"
)

// Explain returns the configuration as lines NAME=value, each followed by the origin of
// the value. origins maps the name of a variable to its origin; a variable that is not in
// origins has its default. The result contains no secret.
func (c Config) Explain(origins map[string]Origin) string {
	var b strings.Builder
	for line := range strings.Lines(c.Dump()) {
		line = strings.TrimSuffix(line, "\n")
		name, _, _ := strings.Cut(line, "=")
		fmt.Fprintf(&b, "%-44s # %s\n", line, cmp.Or(origins[name], FromDefault))
	}
	return b.String()
}

// format converts a value of the configuration to the text that its variable would have.
func format(value any) string {
	if list, ok := value.([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(value)
}

func fields() iter.Seq[reflect.StructField] { return reflect.TypeFor[Config]().Fields() }

// Unset removes variables from the environment of the process. It returns the names of
// the variables that were set, in the order of names. A variable with an empty value
// counts as not set.
func Unset(names []string) (set []string, err error) {
	for _, name := range names {
		if os.Getenv(name) == "" {
			continue
		}
		if err := os.Unsetenv(name); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "the environment variable %s cannot be removed", name)
		}
		set = append(set, name)
	}
	return set, nil
}
