package rawtext_test

import (
	"testing"
	"unicode/utf8"

	"ace/shared/rawtext"
)

// FuzzText checks that the text of any bytes is valid UTF-8 and leads back to the bytes.
func FuzzText(f *testing.F) {
	f.Add([]byte("plain"))
	f.Add([]byte("\xff\x00" + rawtext.Mark + "ff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := rawtext.Text(raw)
		if !utf8.ValidString(text) || rawtext.Bytes(text) != string(raw) {
			t.Errorf("%q becomes %q, then %q", raw, text, rawtext.Bytes(text))
		}
	})
}
