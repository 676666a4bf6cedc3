package render_test

import (
	"errors"
	"strings"
)

// parseCSV is a strict reader of CSV's output: RFC 4180, with NULL distinct from the
// empty string. It removes one leading apostrophe. nil is NULL.
func parseCSV(text string) (lines [][]*string, err error) {
	for text != "" {
		var line []*string
		for more := true; more; {
			var field *string
			if field, text, err = parseField(text); err != nil {
				return nil, err
			}
			line = append(line, field)
			text, more = strings.CutPrefix(text, ",")
		}
		var ended bool
		if text, ended = strings.CutPrefix(text, "\r\n"); !ended {
			return nil, errors.New("a line must end in CR LF")
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func parseField(text string) (field *string, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ",\r\n\"")
		if end < 0 || text[end] == '"' {
			return nil, "", errors.New("a field without quotes holds one, or does not end")
		}
		if end == 0 {
			return nil, text, nil
		}
		value := strings.TrimPrefix(text[:end], "'")
		return &value, text[end:], nil
	}
	var value strings.Builder
	for text = text[1:]; ; text = text[1:] {
		before, after, found := strings.Cut(text, `"`)
		if !found {
			return nil, "", errors.New("a quoted field does not end")
		}
		value.WriteString(before)
		if text = after; !strings.HasPrefix(text, `"`) {
			plain := strings.TrimPrefix(value.String(), "'")
			return &plain, text, nil
		}
		value.WriteByte('"')
	}
}
