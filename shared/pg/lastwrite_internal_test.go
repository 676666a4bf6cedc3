package pg

import "testing"

func TestFormatTime_AlwaysHasMicroseconds(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-29 02:00:01.123456+00":  "2026-11-29T02:00:01.123456Z",
		"2026-11-29 02:00:01.12+00":      "2026-11-29T02:00:01.120000Z",
		"2026-11-29 02:00:01+00":         "2026-11-29T02:00:01.000000Z",
		"2026-11-29 02:00:01.1234567+00": "", "2026-11-29 02:00:01.12+01": "", "infinity": "", "": "", "12026-11-29 02:00:01.12+00": "",
		"2026-11-29 02:00:01+00 BC": "",
	} {
		if got, valid := formatTime(text); got != want || valid != (want != "") {
			t.Errorf("%q: %q, %v", text, got, valid)
		}
	}
}
