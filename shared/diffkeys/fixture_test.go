package diffkeys_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ace/shared/difffile"
	"ace/shared/diffkeys"
	"ace/shared/table"
)

// list is the keys of the rows of one node of one pair.
type list struct {
	pair, node string
	keys       []string
}

// layouts write a document of these lists, in our layout and in the two layouts of the
// peer (see package difffile).
var layouts = map[string]func([]list) string{
	"ours": func(lists []list) string {
		return `{"format":"ace-diff/1","summary":{"schema":"s","table":"t","primary_key":["k"],"nodes":["n1","n2","n3"],` +
			`"columns":[{"name":"v","type":"integer"},{"name":"k","type":"text"}],"pairs":{"n1/n2":{},"n1/n3":{},"n2/n3":{}}},` +
			`"diffs":` + diffs(lists, "") + `}`
	},
	"the peer's older": func(lists []list) string {
		return `{"diffs":` + diffs(lists, "") + `,"summary":{"schema":"s","table":"t"}}`
	},
	"the peer's newer": func(lists []list) string {
		return `{"summary":{"schema":"s","table":"t"},"diffs":` + diffs(lists, "rows") + `}`
	},
}

func diffs(lists []list, level string) string {
	var out strings.Builder
	out.WriteString("{")
	for i := 0; i < len(lists); {
		pair := lists[i].pair
		fmt.Fprintf(&out, "%s%q:{", comma(i), pair)
		if level != "" {
			fmt.Fprintf(&out, "%q:{", level)
		}

		for first := i; i < len(lists) && lists[i].pair == pair; i++ {
			fmt.Fprintf(&out, "%s%q:[", comma(i-first), lists[i].node)
			for n, key := range lists[i].keys {
				quoted, _ := json.Marshal(key)
				fmt.Fprintf(&out, `%s{"v":%d,"k":%s}`, comma(n), n, quoted)
			}

			out.WriteString("]")
		}

		if level != "" {
			out.WriteString("}")
		}

		out.WriteString("}")
	}

	return out.String() + "}"
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

// byNumber ranks keys as a server ranks numerics: 1.0 and 1.00 are the same key.
func byNumber(keys []table.Key) ([]int, error) {
	values := make([]float64, len(keys))
	for i, key := range keys {
		var err error
		if values[i], err = strconv.ParseFloat(key[0], 64); err != nil {
			return nil, err
		}
	}

	sorted := slices.Compact(slices.Sorted(slices.Values(values)))
	ranks := make([]int, len(keys))
	for i, value := range values {
		ranks[i], _ = slices.BinarySearch(sorted, value)
	}

	return ranks, nil
}

// spool stores runs in memory, counts what is open, and fails on request.
type spool struct {
	runs            map[int][][]byte
	writing         int
	reading, atOnce int
	calls, failAt   int
}

var errSpool = errors.New("the spool is broken")

func newSpool() *spool { return &spool{runs: map[int][][]byte{}, failAt: -1} }

// call returns an error if this is the call with the number failAt.
func (s *spool) call() error {
	if s.calls++; s.calls-1 == s.failAt {
		return errSpool
	}
	return nil
}

func (s *spool) Create(_ context.Context, run int) (diffkeys.RunWriter, error) {
	if err := s.call(); err != nil {
		return nil, err
	}
	s.writing++
	return &runWriter{spool: s, run: run}, nil
}

func (s *spool) Open(_ context.Context, run int) (diffkeys.RunReader, error) {
	if err := s.call(); err != nil {
		return nil, err
	}
	lines, ok := s.runs[run]
	if !ok {
		return nil, fmt.Errorf("run %d was not sealed", run)
	}
	s.reading++
	s.atOnce = max(s.atOnce, s.reading)
	return &runReader{spool: s, lines: lines}, nil
}

type runWriter struct {
	spool *spool
	run   int
	lines [][]byte
	done  bool
}

func (w *runWriter) Line(line []byte) error {
	w.lines = append(w.lines, bytes.Clone(line))
	return w.spool.call()
}

func (w *runWriter) Seal(context.Context) error {
	w.Abort()
	if err := w.spool.call(); err != nil {
		return err
	}
	w.spool.runs[w.run] = w.lines
	return nil
}

func (w *runWriter) Abort() {
	if !w.done {
		w.spool.writing--
	}
	w.done = true
}

type runReader struct {
	spool *spool
	lines [][]byte
}

func (r *runReader) NextLine() ([]byte, error) {
	if err := r.spool.call(); err != nil || len(r.lines) == 0 {
		return nil, err
	}
	line := r.lines[0]
	r.lines = r.lines[1:]
	return line, nil
}

func (r *runReader) Close() { r.spool.reading-- }

// read collects the keys of a document and returns them.
func read(document string, o diffkeys.Options) ([]string, error) {
	doc, err := difffile.Open(strings.NewReader(document))
	if err != nil {
		return nil, err
	}

	keys, err := diffkeys.Collect(context.Background(), doc, o)
	if err != nil {
		return nil, err
	}

	var got []string
	for key, err := range keys.All(context.Background()) {
		if err != nil {
			return nil, err
		}
		got = append(got, strings.Join(key, "|"))
	}

	return got, nil
}

func options(s *spool) diffkeys.Options {
	return diffkeys.Options{Columns: []string{"k"}, Rank: byNumber, Spool: s}
}

func mustRead(t *testing.T, document string, o diffkeys.Options) []string {
	t.Helper()
	got, err := read(document, o)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
