package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const timeLayout = "2006-01-02T15:04:05.000Z"

// Time is a moment in the format of the API: UTC, in whole milliseconds, as in
// "2024-03-15T12:34:56.789Z".
type Time struct{ time.Time }

// At returns a moment in UTC, truncated to whole milliseconds.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Millisecond)} }

// String returns the moment in the format of the API.
func (t Time) String() string { return At(t.Time).Format(timeLayout) }

// MarshalJSON implements json.Marshaler. The value is that of String.
func (t Time) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// UnmarshalJSON implements json.Unmarshaler. It accepts exactly the format of
// MarshalJSON.
func (t *Time) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("a time must be a string like %q: %w", timeLayout, err)
	}
	parsed, err := time.Parse(timeLayout, text)
	if err != nil {
		return fmt.Errorf("a time must look like %q: %w", timeLayout, err)
	}
	t.Time = parsed
	return nil
}

// Seconds is a number of seconds. As JSON it has three decimals.
type Seconds float64

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(s), 'f', 3, 64), nil
}

// Duration is a time.Duration with a text form such as "1s" or "500ms".
type Duration time.Duration

// ParseDuration parses a duration such as "1s", "500ms" or "2m", or a plain number of
// seconds such as "0" or "2.5".
func ParseDuration(text string) (Duration, error) {
	if strings.Trim(text, "0123456789.") == "" {
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			return 0, errors.New("not a number of seconds")
		}
		text += "s"
	}
	d, err := time.ParseDuration(text)
	return Duration(d), err
}

// String returns the text form, such as "1.5s".
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText implements encoding.TextMarshaler. The text is that of String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It accepts what ParseDuration
// accepts.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	*d = parsed
	return err
}
