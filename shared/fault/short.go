package fault

import (
	"fmt"
	"unicode/utf8"
)

const (
	// maxValue bounds a value within a message, in bytes. A key, a parameter or a document's field can be of any size,
	// and a message ends up in the task's record, in lists and in the log.
	maxValue = 1 << 10
	// maxMessage bounds a message as a whole: some list everything that is wrong with a file.
	maxMessage = 16 << 10
)

// Short returns a text for a message or a log line: as it is if it has at most a kilobyte, else its beginning and its
// length.
func Short(text string) string { return cut(text, maxValue) }

// LogText returns the text of an error for the log, of a bounded size.
func LogText(err error) string { return cut(err.Error(), maxMessage) }

// cut returns the beginning of a text, whole characters of it, and the length of the text.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit
	for end > limit-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s... (%d bytes)", text[:end], len(text))
}

// message formats a message of bounded size. The only argument of the format "%s" is a message itself.
func message(format string, args []any) string {
	if format == "%s" {
		return cut(fmt.Sprint(args...), maxMessage)
	}
	short := make([]any, len(args))
	for i, arg := range args {
		short[i] = shortened(arg)
	}
	return cut(fmt.Sprintf(format, short...), maxMessage)
}

// shortened returns an argument as it is, unless its text is long.
func shortened(arg any) any {
	switch value := arg.(type) {
	case nil, bool, int, int32, int64, uint64, float64:
		return arg
	case string:
		return Short(value)
	case []byte:
		if len(value) > maxValue {
			return Short(string(value))
		}
		return arg
	}
	if text := fmt.Sprint(arg); len(text) > maxValue {
		return Short(text)
	}
	return arg
}
