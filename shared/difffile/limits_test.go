package difffile_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/difffile"
	"ace/shared/fault"
)

// huge is replaced by a long text in a template. hugeSize is the length of that text in
// bytes.
const (
	huge     = "@"
	hugeSize = 20 << 20
)

// expand returns a template in which a text of size bytes replaces @. The text is never
// in memory as a whole.
func expand(template string, size int64) io.Reader {
	before, after, _ := strings.Cut(template, huge)
	return io.MultiReader(strings.NewReader(before), io.LimitReader(letters{}, size), strings.NewReader(after))
}

// letters is an infinite text.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

const (
	oursTemplate = `{"format":"ace-diff/1","summary":{"task_id":"","primary_key":["id"],"columns":[{"name":"id","type":"text"},` +
		`{"name":"v","type":"text"}],"nodes":["n1","n2"],"pairs":{"n1/n2":{"only_on":{"n1":1}}}},"diffs":{"n1/n2":{"n1":[%s]}}%s}`
	peersTemplate = `{"diffs":{"n1/n2":{"n1":[%s],"n2":[]}}}`
)

func ours(row, more string) string { return fmt.Sprintf(oursTemplate, row, more) }

// checkDocument checks a document as an import does. It returns the number of bytes that
// the check allocated.
func checkDocument(t *testing.T, document io.Reader) (allocated uint64, err error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := difffile.Open(document)
	if err == nil {
		err = r.Check()
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, err
}

func TestCheck_RejectsAHugeKeyOrNameInLittleMemory(t *testing.T) {
	for name, tt := range map[string]struct {
		template string
		size     int64
		want     string
	}{
		"the name of a member":            {`{"@":1}`, 150 << 20, "157286402 bytes is too long; allowed are 4096 bytes"},
		"the name of a member further in": {ours(`{"id":"1","v":"2"}`, `,"@":1`), hugeSize, "allowed are 4096 bytes"},
		"the name of a pair":              {`{"diffs":{"@":{}}}`, hugeSize, "allowed are 4096 bytes"},
		"the name of a node":              {`{"diffs":{"n1/n2":{"@":[]}}}`, hugeSize, "allowed are 4096 bytes"},
		"the name of a column":            {ours(`{"id":"1","@":"2"}`, ""), hugeSize, `row 1: a name: a single value of 20971522 bytes is too long; allowed are 4096 bytes`},
		"the name of a peer's column":     {fmt.Sprintf(peersTemplate, `{"@":1}`), hugeSize, `row 1: a name: a single value of 20971522 bytes is too long`},
		"a key":                           {ours(`{"id":"@","v":"2"}`, ""), 150 << 20, `row 1: "id": a single value of 157286402 bytes is too long; allowed are 8 MB`},
		"an unsettled key":                {ours("", `,"unsettled":{"n1/n2":[["@"]]}`), 150 << 20, `"unsettled", pair n1/n2, row 1: a single value of more than`},
		"an unsettled key, just too long": {ours("", `,"unsettled":{"n1/n2":[["@"]]}`), 9 << 20, `a single value of 9437186 bytes is too long; allowed are 8 MB`},
		"the format":                      {`{"format":"@"}`, hugeSize, "20971522 bytes is too long; allowed are 4096 bytes"},
		"the name of a table": {`{"format":"ace-diff/1","summary":{"table":"@","primary_key":["id"],"columns":[{"name":"id","type":"text"}]}}`,
			1 << 20, "has 1048576 bytes; allowed are 4096"},
	} {
		allocated, err := checkDocument(t, expand(tt.template, tt.size))
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.want) || len(err.Error()) > 3000 {
			t.Errorf("%s: got %.500v, want %q", name, err, tt.want)
		}
		if allocated > 128<<20 {
			t.Errorf("%s: %d MB were allocated", name, allocated>>20)
		}
	}
}

func TestCheck_AcceptsValuesOfHundredsOfMegabytesInLittleMemory(t *testing.T) {
	for name, template := range map[string]string{
		"ours": ours(`{"id":"1","v":"@"}`, ""), "in another order": ours(`{"v":"@","id":"1"}`, ""), "a peer's": fmt.Sprintf(peersTemplate, `{"id":1,"v":"@"}`),
	} {
		size := int64(hugeSize)
		if name == "ours" {
			size = 300 << 20
		}
		allocated, err := checkDocument(t, expand(template, size))
		if err != nil || allocated > 4<<20 {
			t.Errorf("%s: %v, and %d kB were allocated", name, err, allocated>>10)
		}
	}
	longest := ours(`{"id":"@","v":"1"}`, `,"unsettled":{"n1/n2":[["1"]]}`)
	if _, err := checkDocument(t, expand(longest, difffile.MaxKey-2)); err != nil {
		t.Errorf("the longest key: %v", err)
	}
}

// The test compares the two ways to read a value: to decode it as a whole, and to skip
// it.
func TestCheck_AcceptsWhatReadingAccepts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
			"x", "é", "☃", "😀", `\n`, `\"`, `\\`, `\u00e9`, `\ud83d\ude00`, `\ud83d`, `\ude00`, `\u0000`, `\x`, `\u12`, "\n", "\xff", "\xe2\x98", strings.Repeat("y", 9),
		}), 0, 6).Draw(t, "pieces")
		pad := rapid.IntRange(0, 20).Draw(t, "padding") + rapid.SampledFrom([]int{0, 64<<10 - 300}).Draw(t, "first")
		document := ours(`{"v":"`+strings.Repeat("p", pad)+strings.Join(pieces, "")+`","id":"1"}`, "")
		var read error
		r, err := difffile.Open(strings.NewReader(document))
		if err == nil {
			read = r.Walk(func(difffile.Entry) error { return nil }, nil)
			if r, err = difffile.Open(strings.NewReader(document)); err == nil {
				err = r.Check()
			}
		}
		if (err == nil) != (read == nil) {
			t.Fatalf("%q: checked %v, read %v", pieces, err, read)
		}
	})
}
