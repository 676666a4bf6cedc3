package config

import (
	"fmt"
	"iter"
	"reflect"
	"strings"
)

// Variable describes one variable: what a command line needs to offer it as a flag.
type Variable struct {
	Name    string // ACE_MAX_TASKS
	Default string
	Usage   string // what it is for
	Allowed string // its values
}

// Flag is the variable's name as a flag: max-tasks.
func (v Variable) Flag() string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(v.Name, "ACE_")), "_", "-")
}

// Variables lists our variables in the order of Config.
func Variables() []Variable {
	var all []Variable
	for field := range fields() {
		if allowed := field.Tag.Get("allowed"); allowed != "" {
			all = append(all, Variable{field.Tag.Get("env"), field.Tag.Get("envDefault"), field.Tag.Get("usage"), allowed})
		}
	}
	return all
}

// Dump shows the configuration as NAME=value lines. There is nothing secret in it.
func (c Config) Dump() string {
	var b strings.Builder
	value := reflect.ValueOf(c)
	for field := range fields() {
		if field.Tag.Get("allowed") != "" {
			fmt.Fprintf(&b, "%s=%s\n", field.Tag.Get("env"), shown(value.FieldByIndex(field.Index).Interface()))
		}
	}
	return b.String()
}

// shown gives a value as the variable would be written.
func shown(value any) string {
	if list, ok := value.([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(value)
}

func fields() iter.Seq[reflect.StructField] { return reflect.TypeFor[Config]().Fields() }
