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

// Time is a moment as the API shows it: UTC, whole milliseconds, "2024-03-15T12:34:56.789Z".
type Time struct{ time.Time }

// At gives a moment in UTC, cut to whole milliseconds.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Millisecond)} }

// String gives the form the API shows.
func (t Time) String() string { return At(t.Time).Format(timeLayout) }

// MarshalJSON writes the form the API shows.
func (t Time) MarshalJSON() ([]byte, error) { return json.Marshal(t.String()) }

// UnmarshalJSON reads exactly the form that MarshalJSON writes.
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

// Duration is a span of time that reads as text such as "1s" or "500ms".
type Duration time.Duration

// ParseDuration reads "1s", "500ms", "1.5s", "2m" or a plain number of seconds such as "0" or "2.5".
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

// String gives the text form, such as "1.5s".
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes the text form; it loses nothing.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads whatever ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	*d = parsed
	return err
}
