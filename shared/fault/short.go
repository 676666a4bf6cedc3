package fault

import (
	"fmt"
	"unicode/utf8"
)

const (
	// maxValue bounds a value within a message, in bytes. A key, a parameter or a field
	// of a document can have any size, and the message is stored in the task's record and
	// written to lists and to the log.
	maxValue = 1 << 10
	// maxMessage bounds a whole message, in bytes. It is greater than maxValue, because some
	// messages list all problems of a file.
	maxMessage = 16 << 10
)

// Short returns text for a message or a log line. If text is longer than one kilobyte,
// Short returns its beginning, followed by its length in bytes.
func Short(text string) string { return cut(text, maxValue) }

// LogText returns the text of an error for the log, shortened to about 16 kilobytes.
func LogText(err error) string { return cut(err.Error(), maxMessage) }

// cut returns text. If text is longer than limit bytes, cut returns its beginning,
// followed by its length in bytes. It does not split a character.
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

// message formats a message of bounded size. If the format is "%s", its argument is a
// complete message of up to maxMessage bytes. Otherwise each argument is shortened to
// maxValue bytes.
func message(format string, args []any) string {
	if format == "%s" {
		return cut(fmt.Sprint(args...), maxMessage)
	}
	short := make([]any, len(args))
	for i, arg := range args {
		short[i] = shorten(arg)
	}
	return cut(fmt.Sprintf(format, short...), maxMessage)
}

// shorten returns an argument, or its shortened text if the text is longer than maxValue.
func shorten(arg any) any {
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
