package dirstore

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// FuzzRecord checks that a record that is read is written and read as the same record,
// and that no more than the bytes of the input are read.
func FuzzRecord(f *testing.F) {
	for _, r := range []record{{Key: "a/b", Type: "application/json", content: []byte("x")}, {Key: "gone", Delete: true}} {
		body, err := r.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, false)
		f.Add(body[:len(body)-1], false)
		f.Add(body[headerSize:], true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, seal bool) {
		if seal { // without this, the fuzzer would have to find the checksum
			raw = withHeader(raw)
		}
		r, size, ok, err := readRecord(bytes.NewReader(raw))
		if !ok || err != nil {
			return
		}
		if size < headerSize || size > int64(len(raw)) {
			t.Fatalf("a record of %d of %d bytes", size, len(raw))
		}
		again, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, _, ok, err := readRecord(bytes.NewReader(again))
		if err != nil || !ok || got.Key != r.Key || got.Delete != r.Delete || got.sum() != r.sum() || got.Staged != r.Staged || !bytes.Equal(got.content, r.content) {
			t.Errorf("%+v becomes %+v: %v, %v", r, got, ok, err)
		}
	})
}

// withHeader returns a payload as a record with the right length and checksum.
func withHeader(payload []byte) []byte {
	out := make([]byte, headerSize, headerSize+len(payload))
	out = append(out, payload...)
	binary.BigEndian.PutUint32(out, recordMagic)
	binary.BigEndian.PutUint32(out[4:], uint32(len(payload)))
	binary.BigEndian.PutUint32(out[8:], crc32.Checksum(payload, castagnoli))
	return out
}

// FuzzParseSum checks that an accepted sum is written and read as the same sum.
func FuzzParseSum(f *testing.F) {
	text := sum{hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", contentType: "text/csv"}.text("a/b")
	f.Add(text)
	f.Add(text[:len(text)-1])
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := parseSum(text)
		if !ok {
			return
		}
		if again, ok := parseSum(s.text("a/b")); !ok || again != s {
			t.Errorf("%q is %+v, which becomes %+v", text, s, again)
		}
	})
}
