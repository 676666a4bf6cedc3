package page

import (
	"net/url"
	"slices"
	"strings"

	"ace/shared/api"
)

// field is a field of a form, for one parameter of the API.
type field struct {
	api.Param
	Label string
	Value string // the value as the user has entered it; "" means the default
}

// fieldsOf returns the fields for some parameters of an operation of the API. name is the
// name of the operation, names are the names of the parameters, and values has the
// entered values. The help text, the default and the allowed values of a parameter are
// those of its declaration in the API.
func fieldsOf(name string, names []string, values url.Values) []field {
	var fields []field
	params := operation(name).Params
	for _, wanted := range names {
		for _, param := range params {
			if param.Name == wanted {
				fields = append(fields, field{param, labelOf(param.Name), values.Get(param.Name)})
			}
		}
	}
	return fields
}

// labelOf returns the label of the field of a parameter: the label of "block_rows" is
// "Block rows".
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

// IsLong reports whether the field offers room for several lines of text.
func (f field) IsLong() bool { return f.Name == "table_filter" }

// Is reports whether value is the selected value of a list: the entered value, or the
// default if none was entered.
func (f field) Is(value string) bool {
	return value == f.Value || f.Value == "" && value == f.Default
}

// Checked reports whether the check box is checked.
func (f field) Checked() bool { return slices.Contains([]string{"true", "on", "1"}, f.Value) }

// Help returns the help text of the field: the purpose of the parameter and, unless the
// field is a check box or a list, which values are allowed.
func (f field) Help() string {
	text := strings.ToUpper(f.Purpose[:1]) + f.Purpose[1:]
	if f.IsFlag() || f.IsChoice() || f.Allowed == "" {
		return text + "."
	}
	return text + ": " + f.Allowed + "."
}
