package api

// Param describes a parameter of an operation.
type Param struct {
	Name     string
	Kind     Kind
	Required bool
	Default  string // the value that is used if the parameter is absent; "" if there is no default
	Purpose  string // a phrase without a full stop
	Allowed  string // the values that are allowed, as in errors; "" if the purpose states them
	Example  string // a valid value; "" if the default is one
	Values   Values
}

// Kind is the type of a parameter's value.
type Kind string

// The kinds. In a query string, the items of a list are separated by commas.
const (
	KindText    Kind = "string"
	KindFlag    Kind = "boolean"
	KindInteger Kind = "integer"
	KindNumber  Kind = "number"
	KindList    Kind = "array"
)

// Values describes the values of a parameter for programs. It allows every value that
// the Decode functions accept, in one notation of its kind: true, but not yes. Rules
// that it cannot express, such as the maximum number of bytes of a name, are only in
// Param.Allowed.
type Values struct {
	OneOf    []string
	Pattern  string // a regular expression that is valid in Go and in JavaScript
	MaxBytes int    // 0 means that there is no maximum
	From     string // the least number; "": no minimum
	Above    string // the number that all values exceed; "": none
	To       string // the greatest number; "": no maximum
	MinItems int    // the minimum number of items of a list; 0: no minimum. The items must all be different
	All      bool   // the list may be the word all instead
}

// The patterns of Values. Each pattern allows what the parser of its parameter accepts,
// except for the length of a name: a pattern allows 63 characters, a parser 63 bytes. A
// regular expression cannot count bytes.
const (
	patternBare   = "[^\\x00-@\\[-^`{-\\x7f][^\\x00-#%-/:-@\\[-^`{-\\x7f]{0,62}"
	patternQuoted = `"([^"\x00]|""){1,63}"`
	patternIdent  = "(" + patternBare + "|" + patternQuoted + ")"

	patternTable   = "^" + patternIdent + `\.` + patternIdent + "$"
	patternSchema  = "^" + patternIdent + "$"
	patternColumns = `^\s*` + patternIdent + `(\s*,\s*` + patternIdent + `)*\s*$`
	patternSchemas = `^(\s*\*\s*|\s*` + patternIdent + `(\s*,\s*` + patternIdent + `)*\s*)$`
	patternWords   = `^\s*[a-z_]+\s*(,\s*[a-z_]+\s*)*$`
	patternText    = `^[^\x00]*[^\x00\s][^\x00]*$` // allows every text that is not blank

	patternComparison = `^\s*(structure(\s*,\s*data)?|data(\s*,\s*structure)?)\s*$`
	patternPatterns   = `^[^,\x00]*[^,\x00\s][^,\x00]*(,[^,\x00]*[^,\x00\s][^,\x00]*)*$`
	patternDiffFile   = "^(" + tableIDForm + "|" + documentKey + "|" + s3Scheme + addressForm + `|/[^\x00]*)$`
	patternBaseline   = "^(" + baselineNone + "|" + BaselineLast + "|" + diffIDForm + ")$"
	patternDelay      = `^([0-9]+(\.[0-9]*)?|\.[0-9]+|\+?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`
	patternCursor     = `^[A-Za-z0-9_-]+$`
	patternMoment     = `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2}))?$`
)

// valuesOf returns the Values of a few words.
func valuesOf(words ...string) Values { return Values{OneOf: words} }

// count describes what parseCount accepts.
func count() Values { return Values{From: "1"} }
