package pgtest

import (
	"fmt"
	"testing"
)

// UnlikeNodes returns two nodes that differ in everything that must not affect a
// digest or a comparison: version, locale, settings and OIDs.
func UnlikeNodes(t testing.TB) *Cluster {
	t.Helper()
	opts := []Option{
		Majors(Oldest, Newest),
		CreateDatabase(0, "LOCALE 'C'"),
		CreateDatabase(1, "LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"),
	}
	for name, values := range map[string][2]string{
		"TimeZone":           {"Asia/Tokyo", "America/New_York"},
		"DateStyle":          {"SQL, DMY", "German"},
		"IntervalStyle":      {"sql_standard", "iso_8601"},
		"bytea_output":       {"escape", "hex"},
		"extra_float_digits": {"-5", "3"},
		"lc_monetary":        {"C", "C.UTF-8"},
		"xmlbinary":          {"hex", "base64"},
	} {
		opts = append(opts, DatabaseSetting(0, name, values[0]), DatabaseSetting(1, name, values[1]))
	}
	c := NewCluster(t, opts...)
	for i := range 20 {
		c.Exec(t, 1, fmt.Sprintf("CREATE TYPE burnt%d AS ENUM ()", i)) // so that the nodes' OIDs differ
	}
	return c
}
