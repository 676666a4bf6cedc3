package difffile_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/shared/difffile"
)

var update = flag.Bool("update", false, "update the golden files")

func golden(name string) string { return filepath.Join("..", "..", "testdata", "diffs", name) }

func TestWrite_WritesTheGoldenDocuments(t *testing.T) {
	differ, rows := differing()
	limited := differ
	limited.DiffRowLimitReached, limited.UnsettledRows = true, 0
	variants, variantRows := keyVariants()
	lastWrites, writesOf := written()
	for _, tt := range []struct {
		file    string
		summary difffile.Summary
		source  sections
	}{
		{"match.json", matching(), sections{}},
		{"written.json", lastWrites, writesOf},
		{"differ.json", differ, rows},
		{"limited.json", limited, sections{rows: map[difffile.Pair]map[string][]difffile.Row{n12: rows.rows[n12]}}},
		{"key_variants.json", variants, variantRows},
	} {
		t.Run(tt.file, func(t *testing.T) {
			got := write(t, tt.summary, tt.source)
			if *update {
				if err := os.WriteFile(golden(tt.file), got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("the document changed (-golden +now):\n%s", diff)
			}
			if !json.Valid(got) {
				t.Error("the document is not JSON")
			}
			back, err := read(got)
			if err != nil {
				t.Fatalf("the document cannot be read: %v", err)
			}
			again := write(t, back.Summary, sections{back.Summary.Columns, back.Rows, back.Unsettled, back.Variants, back.Written})
			if diff := cmp.Diff(string(got), string(again)); diff != "" {
				t.Errorf("reading and writing again changes the document:\n%s", diff)
			}
		})
	}
}

func TestWrite_ReturnsSizeAndSHA256(t *testing.T) {
	var out bytes.Buffer
	written, err := difffile.Write(t.Context(), &out, matching(), sections{})
	sum := sha256.Sum256(out.Bytes())
	if err != nil || written.Size != int64(out.Len()) || written.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("got %+v, %v", written, err)
	}
}

func TestWrite_RejectsInconsistentInput(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*difffile.Summary, *sections)
		want   string
	}{
		"too few rows": {func(_ *difffile.Summary, src *sections) {
			src.rows[n12]["n2"] = src.rows[n12]["n2"][:1]
		}, "pair n1/n2, node n2: the source returned 1 rows, the summary counts 2"},
		"too many rows": {func(s *difffile.Summary, _ *sections) {
			s.DiffRowLimitReached, s.Pairs[0].Different = true, 0
		}, "pair n1/n2, node n1: the source returned 2 rows, the summary counts 1"},
		"too few values": {func(_ *difffile.Summary, src *sections) {
			src.rows[n12]["n2"][1] = row("1")
		}, "pair n1/n2, node n2, row 2: it has 1 values for 5 columns"},
		"an invalid integer": {func(_ *difffile.Summary, src *sections) {
			src.rows[n12]["n2"][1] = row("1e3", "t", "", "", "")
		}, `row 2: column "id": "1e3" is not`},
		"an invalid boolean": {func(_ *difffile.Summary, src *sections) {
			src.rows[n12]["n2"][1] = row("1", "true", "", "", "")
		}, `row 2: column "ok": "true" is not`},
		"text that is not UTF-8": {func(_ *difffile.Summary, src *sections) {
			src.rows[n12]["n2"][1] = row("1", "t", "\xff", "", "")
		}, `row 2: column "na\"me": "\xff" is not valid UTF-8`},
		"an unsettled key that is NULL": {func(_ *difffile.Summary, src *sections) {
			src.unsettled[n12][0] = row(null)
		}, `unsettled key 1: key column "id" is NULL`},
		"an unsettled key of another length": {func(_ *difffile.Summary, src *sections) {
			src.unsettled[n12][0] = row("1", "2")
		}, "unsettled key 1: it has 2 values for a key of 1 columns"},
		"a key variant of another length": {func(s *difffile.Summary, src *sections) {
			s.Pairs[0].Columns["id"] = 1
			src.variants = map[difffile.Pair][][2]difffile.Row{n12: {{row("1"), row("1", "2")}}}
		}, "key_variants key 1: it has 2 values for a key of 1 columns"},
		"a node with a slash": {func(s *difffile.Summary, _ *sections) { s.Nodes[1] = "n/2" }, `nodes has "n/2"`},
		"a column twice": {func(s *difffile.Summary, _ *sections) {
			s.Columns[1].Name = "id"
		}, `columns has "id" twice`},
		"an unknown key column": {func(s *difffile.Summary, _ *sections) { s.PrimaryKey[0] = "x" }, `primary_key has "x"`},
		"no key":                {func(s *difffile.Summary, _ *sections) { s.PrimaryKey = nil }, "primary_key is empty"},
		"pairs in another order": {func(s *difffile.Summary, _ *sections) {
			s.Pairs[0], s.Pairs[1] = s.Pairs[1], s.Pairs[0]
		}, "pairs has"},
		"a pair turned round": {func(s *difffile.Summary, _ *sections) {
			s.Pairs[0].Nodes = difffile.Pair{"n2", "n1"}
		}, "pairs has"},
	} {
		t.Run(name, func(t *testing.T) {
			s, src := differing()
			tt.change(&s, &src)
			_, err := difffile.Write(t.Context(), io.Discard, s, src)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// broken is a source that fails at the end of a section.
type broken struct {
	sections
	err error
}

func (b broken) Rows(ctx context.Context, pair difffile.Pair, node string) iter.Seq2[difffile.Encoded, error] {
	return func(yield func(difffile.Encoded, error) bool) {
		for r, err := range b.sections.Rows(ctx, pair, node) {
			if !yield(r, err) {
				return
			}
		}
		yield(nil, b.err)
	}
}

func TestWrite_ReturnsTheErrorsOfSourceSinkAndContext(t *testing.T) {
	errLost := errors.New("a part is lost")
	s, src := differing()
	if _, err := difffile.Write(t.Context(), io.Discard, s, broken{src, errLost}); !errors.Is(err, errLost) {
		t.Errorf("got %v, want the source's error", err)
	}
	reader, writer := io.Pipe()
	reader.CloseWithError(errLost)
	if _, err := difffile.Write(t.Context(), writer, s, src); !errors.Is(err, errLost) {
		t.Errorf("got %v, want the sink's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := difffile.Write(ctx, io.Discard, s, src); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
