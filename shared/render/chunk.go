package render

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"ace/shared/difffile"
	"ace/shared/rowpairs"
	"ace/shared/table"
)

const (
	// A chunk of the page is a group of differences that are decoded together. (It is not a
	// chunk of a comparison.) The page decodes a whole chunk to show one of its differences.
	// A filter may select only one difference from each chunk, so chunks are small.
	maxChunkRows  = 200
	maxChunkBytes = 128 << 10
	// maxSearched is the number of characters of a key that can be searched for on the page.
	maxSearched = 1_000
)

// index describes the differences of a chunk, so that the page can filter them without
// decoding their rows.
type index struct {
	Pair      int        `json:"pair"`
	Kinds     string     `json:"kinds"`               // one letter for each difference, see kindLetters
	Unsettled []int      `json:"unsettled,omitempty"` // indexes of the unsettled differences in the chunk
	Sets      [][]int    `json:"sets"`                // the sets of columns to which Differ refers
	Differ    []int      `json:"differ"`              // for each difference, the index in Sets of the columns that differ
	Keys      []safeText `json:"keys"`                // for each difference, the text to search
}

// kindLetters holds one letter for each rowpairs.Kind: different, only on the first node,
// only on the second node.
const kindLetters = "dfs"

// safeText is a text that is encoded by appendText.
type safeText string

// MarshalJSON implements json.Marshaler.
func (s safeText) MarshalJSON() ([]byte, error) { return appendText(nil, string(s)), nil }

// chunks writes differences as data of the page. A chunk has two elements: an index and
// the rows. A row is a list of cells in the order of the page's columns, or null if the
// node lacks the row. A cell is null for NULL. It is 0 on the second node if the first
// node has the same value. Otherwise it is the JSON of pieces.
type chunks struct {
	out   io.Writer
	order []int                 // indexes of the document's columns, in the order of the page
	key   int                   // the number of key columns, which are first in order
	pairs map[difffile.Pair]int // index of each pair in the page's list of pairs
	index index
	sets  map[string]int // index of each set of columns in index.Sets
	rows  []byte
	bytes int64 // number of bytes written so far
}

// add adds a difference. It flushes the chunk first if the chunk is full or has
// differences of another pair.
func (c *chunks) add(d rowpairs.Difference) error {
	pair := c.pairs[d.Pair]
	if n := len(c.index.Kinds); n > 0 && (pair != c.index.Pair || n == maxChunkRows || len(c.rows) > maxChunkBytes) {
		if err := c.flush(); err != nil {
			return err
		}
	}

	i := &c.index
	i.Pair = pair
	if d.Unsettled {
		i.Unsettled = append(i.Unsettled, len(i.Kinds))
	}
	i.Kinds += kindLetters[d.Kind() : d.Kind()+1]
	i.Keys = append(i.Keys, c.searchText(d))
	if len(c.rows) > 0 {
		c.rows = append(c.rows, ",\n"...)
	}
	i.Differ = append(i.Differ, c.set(c.appendRows(d)))
	return nil
}

// searchText returns the text of a difference's key. It has both spellings if the nodes
// spell the key differently.
func (c *chunks) searchText(d rowpairs.Difference) safeText {
	var texts []string
	for _, row := range d.Rows {
		if row == nil {
			continue
		}
		for _, at := range c.order[:c.key] {
			if row[at] != nil && !slices.Contains(texts, *row[at]) {
				texts = append(texts, *row[at])
			}
		}
	}
	text, _ := firstOf(strings.Join(texts, " "), maxSearched)
	return safeText(text)
}

// set returns the index in index.Sets of a set of columns, which it adds if necessary.
func (c *chunks) set(columns []int) int {
	name := fmt.Sprint(columns)
	n, known := c.sets[name]
	if !known {
		n = len(c.index.Sets)
		c.index.Sets = append(c.index.Sets, columns)
		c.sets[name] = n
	}
	return n
}

// appendRows encodes the rows of a difference and returns the columns in which they
// differ.
func (c *chunks) appendRows(d rowpairs.Difference) (differ []int) {
	if d.Kind() != rowpairs.Different {
		for i, row := range d.Rows {
			c.rows = append(c.rows, "[,"[i])
			c.rows = c.appendAlone(c.rows, row)
		}
		c.rows = append(c.rows, ']')
		return []int{}
	}

	differ = []int{}
	first, second := append(c.rows, "[["...), []byte("],[")
	for i, at := range c.order {
		if i > 0 {
			first, second = append(first, ','), append(second, ',')
		}
		a, b := d.Rows[0][at], d.Rows[1][at]
		if table.SameValue(a, b) {
			first, second = appendWhole(first, a), append(second, '0')
			continue
		}
		differ = append(differ, i)
		first, second = appendCompared(first, second, a, b)
	}
	c.rows = append(append(first, second...), "]]"...)
	return differ
}

// appendAlone encodes the row of a key that only one node has.
func (c *chunks) appendAlone(out []byte, row difffile.Row) []byte {
	if row == nil {
		return append(out, "null"...)
	}
	out = append(out, '[')
	for i, at := range c.order {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendWhole(out, row[at])
	}
	return append(out, ']')
}

// appendWhole encodes a value that is not compared with another.
func appendWhole(out []byte, value *string) []byte {
	if value == nil {
		return append(out, "null"...)
	}
	return appendPieces(out, whole(*value))
}

// appendCompared encodes two values that differ, each into its own row. If one is NULL,
// the whole other value is marked as different.
func appendCompared(first, second []byte, a, b *string) (withA, withB []byte) {
	switch {
	case a == nil:
		return append(first, "null"...), appendPieces(second, parts(*b, 0, 0))
	case b == nil:
		return appendPieces(first, parts(*a, 0, 0)), append(second, "null"...)
	}
	x, y := compare(*a, *b)
	return appendPieces(first, x), appendPieces(second, y)
}

// flush writes the chunk and begins the next one.
func (c *chunks) flush() error {
	if len(c.index.Kinds) == 0 {
		return nil
	}
	head, err := json.Marshal(c.index)
	if err != nil {
		return err
	}
	n, err := fmt.Fprintf(c.out, "<script type=\"application/json\" class=\"index\">%s</script>\n"+
		"<script type=\"application/json\">[%s]</script>\n", head, c.rows)
	c.bytes += int64(n)
	c.index, c.rows = index{}, c.rows[:0]
	clear(c.sets)
	return err
}
