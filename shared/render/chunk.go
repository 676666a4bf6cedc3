package render

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"ace/shared/difffile"
	"ace/shared/rowpairs"
	"ace/shared/table"
)

const (
	// maxChunkRows and maxChunkBytes bound a chunk of the page: a group of differences
	// that are decoded together. (It is not a chunk of a comparison.) The page decodes a
	// whole chunk to show one of its differences, and a filter may select only one
	// difference from each chunk. So chunks are small.
	maxChunkRows  = 200
	maxChunkBytes = 128 << 10
	// maxSearched is the maximum number of characters of a difference's key (see
	// searchText) that the report can search. The rest of a longer key is not searched.
	maxSearched = 1_000
)

// index describes the differences of a chunk, so that the page can filter them without
// decoding their rows.
type index struct {
	Patterns  [][]int    `json:"patterns"`            // the distinct patterns: each has, for each node, the number of its version of the row, or absent or unknown
	Pattern   []int      `json:"pattern"`             // for each difference, the index of its pattern in Patterns
	Unsettled []int      `json:"unsettled,omitempty"` // indexes of the unsettled differences in the chunk
	Sets      [][]int    `json:"sets"`                // the sets of columns to which Differ refers
	Differ    []int      `json:"differ"`              // for each difference, the index in Sets of the set of columns that differ
	Keys      []safeText `json:"keys"`                // for each difference, the text of its key, for the search
}

// The numbers in a pattern that are not versions.
const (
	absent  = -1 // the node has no such row
	unknown = -2 // the document does not list what the node has
)

// safeText is a text that is encoded by appendText.
type safeText string

// MarshalJSON implements json.Marshaler.
func (s safeText) MarshalJSON() ([]byte, error) { return appendText(nil, string(s)), nil }

// chunks writes differences as data of the page. A chunk has two elements: an index and
// the rows. The rows have, for each difference, a list of the versions of the row that
// the nodes have. A version is a list of cells in the order of the page's columns. A cell
// is the number of an earlier version if that version has the same value. Otherwise it is
// null for NULL, and the JSON of pieces for every other value. If the document has last
// writes of the rows, an object follows the versions (see appendWrites).
type chunks struct {
	out      io.Writer
	order    []int // indexes of the document's columns, in the order of the page
	markers  []marker
	key      int // the number of key columns, which are first in order
	index    index
	sets     map[string]int // index of each set of columns in index.Sets
	patterns map[string]int // index of each pattern in index.Patterns
	rows     []byte
	bytes    int64 // number of bytes written so far
}

func newChunks(out io.Writer, doc *rowpairs.Document, order []int) *chunks {
	c := &chunks{out: out, order: order, key: len(doc.Key()), sets: map[string]int{}, patterns: map[string]int{}}
	for _, at := range order {
		c.markers = append(c.markers, markerOf(doc.Summary().Columns[at]))
	}
	return c
}

// add adds a difference. It flushes the chunk first if the chunk is full.
func (c *chunks) add(key rowpairs.Key) error {
	if n := len(c.index.Keys); n == maxChunkRows || len(c.rows) > maxChunkBytes {
		if err := c.flush(); err != nil {
			return err
		}
	}

	i := &c.index
	if key.Unsettled {
		i.Unsettled = append(i.Unsettled, len(i.Keys))
	}
	versions, weights, pattern := group(key)
	i.Pattern = append(i.Pattern, intern(&i.Patterns, c.patterns, pattern))
	i.Keys = append(i.Keys, c.searchText(versions))
	if len(c.rows) > 0 {
		c.rows = append(c.rows, ",\n"...)
	}
	i.Differ = append(i.Differ, intern(&i.Sets, c.sets, c.appendRows(versions, weights)))
	return c.appendWrites(key)
}

// appendWrites appends, to the list of versions that appendRows has appended, an object
// with the last write of the row for each node: a list of its time and its origin, or
// null if it is not known. It appends nothing if the document lists no write of the key.
func (c *chunks) appendWrites(key rowpairs.Key) error {
	if !slices.ContainsFunc(key.Writes, func(w *difffile.LastWrite) bool { return w != nil }) {
		return nil
	}

	writes := make([][]safeText, len(key.Writes))
	for node, w := range key.Writes {
		if w != nil && w.At != "" {
			writes[node] = []safeText{safeText(w.At), safeText(w.Origin)}
		}
	}
	encoded, err := json.Marshal(map[string]any{"written": writes})
	if err != nil {
		return err
	}
	c.rows = append(append(append(c.rows[:len(c.rows)-1], ','), encoded...), ']')
	return nil
}

// group returns the distinct versions of a key's row, the number of nodes that have each
// version, and the pattern (see index.Patterns).
func group(key rowpairs.Key) (versions []difffile.Row, weights, pattern []int) {
	for node, row := range key.Rows {
		switch key.States[node] {
		case rowpairs.Absent:
			pattern = append(pattern, absent)
		case rowpairs.Unknown:
			pattern = append(pattern, unknown)
		case rowpairs.Present:
			at := slices.IndexFunc(versions, func(v difffile.Row) bool { return slices.EqualFunc(v, row, table.SameValue) })
			if at < 0 {
				at = len(versions)
				versions, weights = append(versions, row), append(weights, 0)
			}
			weights[at]++
			pattern = append(pattern, at)
		}
	}
	return versions, weights, pattern
}

// searchText returns the text of a difference's key, for the search. If the nodes spell
// the key differently, the text has all spellings.
func (c *chunks) searchText(versions []difffile.Row) safeText {
	var texts []string
	for _, row := range versions {
		for _, at := range c.order[:c.key] {
			if row[at] != nil && !slices.Contains(texts, *row[at]) {
				texts = append(texts, *row[at])
			}
		}
	}
	text, _ := firstOf(strings.Join(texts, " "), maxSearched)
	return safeText(text)
}

// intern returns the index of a list of numbers in lists. If lists does not contain the
// list, intern appends it. known maps the text of each list to its index in lists.
func intern(lists *[][]int, known map[string]int, list []int) int {
	name := fmt.Sprint(list)
	n, found := known[name]
	if !found {
		n = len(*lists)
		*lists = append(*lists, list)
		known[name] = n
	}
	return n
}

// appendRows appends the versions of a row to the rows of the chunk. It returns the
// indexes of the columns in which the versions differ, in the order of the page.
func (c *chunks) appendRows(versions []difffile.Row, weights []int) (differ []int) {
	differ = []int{}
	encoded := make([][]byte, len(versions))
	for i, at := range c.order {
		cells, distinct := c.column(i, at, versions, weights)
		for v, cell := range cells {
			encoded[v] = append(append(encoded[v], "[,"[min(i, 1)]), cell...)
		}
		if distinct > 1 {
			differ = append(differ, i)
		}
	}

	c.rows = append(c.rows, '[')
	for v := range encoded {
		if v > 0 {
			c.rows = append(c.rows, ',')
		}
		c.rows = append(append(c.rows, encoded[v]...), ']')
	}
	c.rows = append(c.rows, ']')
	return differ
}

// column returns the encoded cells of one column, one for each version, and the number of
// distinct values. i is the index of the column in the order of the page, and at is its
// index in the document.
func (c *chunks) column(i, at int, versions []difffile.Row, weights []int) (cells [][]byte, distinct int) {
	cells = make([][]byte, len(versions))
	var values []value
	for v, row := range versions {
		first := slices.IndexFunc(values, func(known value) bool { return table.SameValue(known.text, row[at]) })
		if first >= 0 {
			values[first].weight += weights[v]
			cells[v] = strconv.AppendInt(nil, int64(values[first].version), 10)
			continue
		}
		values = append(values, value{text: row[at], version: v, weight: weights[v]})
	}

	for n, p := range c.markers[i].mark(values) {
		v := values[n]
		if v.text == nil {
			cells[v.version] = []byte("null")
		} else {
			cells[v.version] = encodePieces(p)
		}
	}
	return cells, len(values)
}

// flush writes the chunk and begins the next one.
func (c *chunks) flush() error {
	if len(c.index.Keys) == 0 {
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
	clear(c.patterns)
	return err
}
