package table

// Setting is a configuration parameter of PostgreSQL and its value.
type Setting struct{ Name, Value string }

// TextSettings returns the settings that decide which text a value has, and which value a
// text has. Any role may change them.
func TextSettings() []Setting {
	return []Setting{
		{"TimeZone", "UTC"},
		{"DateStyle", "ISO"},
		{"IntervalStyle", "postgres"},
		{"extra_float_digits", "1"},
		{"bytea_output", "hex"},
		{"xmlbinary", "base64"},
		{"xmloption", "content"}, // how text is converted to xml
		{"lc_monetary", "C"},
		{"quote_all_identifiers", "off"}, // affects the text of regclass, regtype, ...
		{"array_nulls", "on"},            // an array can have NULL as an element
		{"standard_conforming_strings", "on"},
		{"transform_null_equals", "off"},
	}
}
