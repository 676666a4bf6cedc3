package page

import (
	"net/url"
	"slices"
	"strings"

	"ace/shared/api"
)

// field is a parameter of the API in a form.
type field struct {
	api.Param
	Label string
	Value string // as entered; "" means the default
}

// fieldsOf returns the named parameters of an operation with the values of a form. The
// API's own declarations have the help texts, the defaults and the allowed values.
func fieldsOf(name string, names []string, values url.Values) []field {
	var fields []field
	for _, wanted := range names {
		for _, param := range operation(name).Params {
			if param.Name == wanted {
				fields = append(fields, field{param, labelOf(param.Name), values.Get(param.Name)})
			}
		}
	}
	return fields
}

// labelOf returns the name of a parameter as the label of its field.
func labelOf(name string) string {
	words := strings.ReplaceAll(name, "_", " ")
	for from, to := range map[string]string{"dbname": "database", "cpu": "CPU"} {
		words = strings.ReplaceAll(words, from, to)
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// IsFlag reports whether the field is a check box.
func (f field) IsFlag() bool { return f.Kind == api.KindFlag }

// IsChoice reports whether the field offers a list of values.
func (f field) IsChoice() bool { return len(f.Values.OneOf) > 0 }

// IsLong reports whether the field has several lines.
func (f field) IsLong() bool { return f.Name == "table_filter" }

// Is reports whether a value of the list is the one that is chosen.
func (f field) Is(value string) bool {
	return value == f.Value || f.Value == "" && value == f.Default
}

// Checked reports whether the check box is set.
func (f field) Checked() bool { return slices.Contains([]string{"true", "on", "1"}, f.Value) }

// Help returns the purpose of the parameter and what is allowed.
func (f field) Help() string {
	text := strings.ToUpper(f.Purpose[:1]) + f.Purpose[1:]
	if f.IsFlag() || f.IsChoice() || f.Allowed == "" {
		return text + "."
	}
	return text + ": " + f.Allowed + "."
}
