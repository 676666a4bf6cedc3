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
	// A chunk is what the page decodes at once to show a difference: small, since a filter may pick one from each.
	maxChunkRows  = 200
	maxChunkBytes = 128 << 10
	// maxSearched is how many characters of a key can be searched.
	maxSearched = 1_000
)

// index is what the page knows of a chunk's differences before it decodes the chunk: enough to filter.
type index struct {
	Pair      int      `json:"pair"`
	Kinds     string   `json:"kinds"`               // a letter each: see kindLetters
	Unsettled []int    `json:"unsettled,omitempty"` // places in the chunk
	Sets      [][]int  `json:"sets"`                // sets of columns
	Differ    []int    `json:"differ"`              // which of the sets each differs in
	Keys      []safely `json:"keys"`                // their text, to search in
}

// kindLetters: different, only on the first node, only on the second.
const kindLetters = "dfs"

// safely is a text that is encoded as appendText does.
type safely string

// MarshalJSON implements json.Marshaler.
func (s safely) MarshalJSON() ([]byte, error) { return appendText(nil, string(s)), nil }

// chunks writes differences as data of the page, chunk by chunk: two elements each, an index and the rows. A row is a
// list of cells in the order of the page's columns, null if there is no such row. A cell is null for NULL, 0 on the
// second node for what the first one has too, and else as pieces say.
type chunks struct {
	out   io.Writer
	order []int
	key   int                   // how many of these are the key's
	pairs map[difffile.Pair]int // places in the page's list
	index index
	sets  map[string]int
	rows  []byte
	bytes int64 // written so far
}

// add takes a difference.
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
	i.Keys = append(i.Keys, c.searched(d))
	if len(c.rows) > 0 {
		c.rows = append(c.rows, ",\n"...)
	}
	i.Differ = append(i.Differ, c.set(c.appendRows(d)))
	return nil
}

// searched gives the text of a difference's key, in both spellings if there are two.
func (c *chunks) searched(d rowpairs.Difference) safely {
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
	return safely(text)
}

// set gives the number of a set of columns.
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

// appendRows encodes the rows of a difference and gives the columns in which they differ.
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

// appendAlone encodes a row that has none beside it.
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

func appendWhole(out []byte, value *string) []byte {
	if value == nil {
		return append(out, "null"...)
	}
	return appendPieces(out, whole(*value))
}

// appendCompared encodes two values that differ, each to its own row. Beside NULL all of a value differs.
func appendCompared(first, second []byte, a, b *string) (withA, withB []byte) {
	switch {
	case a == nil:
		return append(first, "null"...), appendPieces(second, parts(*b, 0, 0))
	case b == nil:
		return appendPieces(first, parts(*a, 0, 0)), append(second, "null"...)
	}
	x, y := compared(*a, *b)
	return appendPieces(first, x), appendPieces(second, y)
}

// flush writes the chunk.
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
