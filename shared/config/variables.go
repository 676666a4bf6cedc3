package config

import (
	"fmt"
	"iter"
	"reflect"
	"strings"
)

// Variable describes one environment variable, so that a command can offer it as a flag.
type Variable struct {
	Name    string // such as ACE_MAX_TASKS
	Default string
	Usage   string // its purpose
	Allowed string // its allowed values
}

// Flag returns the variable's name as a flag, such as max-tasks.
func (v Variable) Flag() string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(v.Name, "ACE_")), "_", "-")
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

// Dump returns the configuration as NAME=value lines. It contains no secret.
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

// format returns a value in the form in which it is written in its variable.
func format(value any) string {
	if list, ok := value.([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(value)
}

func fields() iter.Seq[reflect.StructField] { return reflect.TypeFor[Config]().Fields() }
