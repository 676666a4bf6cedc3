package difffile

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

func FuzzMeasure(f *testing.F) {
	for _, seed := range []string{
		``, `{`, `{}`, `[ ]`, `[1,2 , 3]`, `[1,]`, `{"a":1,"b":[null,true,false]}`, `{"a" : {"b":"\u00e9\ud83d\"\\"}}`, `{"a",1}`, `{1:2}`,
		`"`, `"\`, `"\u00`, `"\x"`, "\"\n\"", `"a"b`, `-`, `-0`, `01`, `1.`, `1.5e`, `1e+7`, `1E-0 `, `-1.50,`, `tru`, `trub`, `nul`, `nulll`,
		`"eight by"`, `"eight byt\"es and \\"`, "\"ninety \xff\x7f\x80 \x1f\"", `"ünïcödé, ünïcödé" `, "\"!!!!!!!\x1f!\"", `"]]]]]]]]]]]]"`,
		strings.Repeat("[", 9_999) + strings.Repeat("]", 9_999), strings.Repeat("[", 10_001),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append(bytes.TrimLeft(b, " \n\t\r"), ' ') // ends a number
		var raw json.RawMessage
		err := json.NewDecoder(bytes.NewReader(b)).Decode(&raw)
		var want int
		switch {
		case err == nil:
			want = len(raw)
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			want = incomplete
		default:
			want = malformed
		}
		if got := measure(b, 0); got != want && len(b) > 1 {
			t.Errorf("measure(%q) = %d, encoding/json has %d (%v)", b, got, want, err)
		}
	})
}
