package render

import (
	"bufio"
	"context"
	"io"
	"slices"
	"strings"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"ace/shared/difffile"
	"ace/shared/rowpairs"
	"ace/shared/table"
)

const (
	// maxExcerpt is the size of the written rows, in bytes, after which Rows writes no
	// further row.
	maxExcerpt = 8 << 20
	// maxPlain is the maximum number of differences that Rows also writes as a plain table,
	// for browsers without scripts.
	maxPlain = 50
	// maxPlainText is the maximum number of characters of a value in the plain table.
	maxPlainText = 200
)

// Style returns the style sheet of the page that HTML writes. The pages of the service
// use its colors and fonts too.
func Style() string { return pageCSS }

// Script returns the script that shows the rows that Rows has written. It must be at the
// end of the page.
func Script() string { return pageJS }

// Summary writes the part of a page of the service that describes a comparison: the
// verdict, the warnings, the counts, and how the table was compared. It is the same part
// that HTML writes above the rows.
func Summary(w io.Writer, s difffile.Summary) error {
	page, err := parsePage()
	if err != nil {
		return err
	}
	return page.ExecuteTemplate(w, "summary", newHead(s))
}

// Excerpt is the part of the differences of a document that Rows has written.
type Excerpt struct {
	First int64 // number of differences of the document before the first one written
	Shown int64
	Found int64 // number of differences in the document
}

// Rows writes the part of a page of the service that shows the differences of a document.
// first is the number of differences to skip, and limit the maximum number to write. The
// page must contain Style and, at its end, Script. For browsers without scripts, Rows
// also writes up to maxPlain of the differences as a plain table.
func Rows(ctx context.Context, w io.Writer, open rowpairs.Opener, first, limit int64) (Excerpt, error) {
	doc, err := rowpairs.Open(ctx, open)
	if err != nil {
		return Excerpt{}, err
	}
	keys, err := doc.Keys(ctx)
	if err != nil {
		return Excerpt{}, err
	}
	page, err := parsePage()
	if err != nil {
		return Excerpt{}, err
	}

	e := &excerpt{Excerpt: Excerpt{First: first, Found: keys.Count()}, doc: doc, order: keyFirst(doc), limit: limit, page: page}
	out := bufio.NewWriterSize(w, 64<<10)
	if err := e.write(ctx, out, keys); err != nil {
		return e.Excerpt, err
	}
	return e.Excerpt, out.Flush()
}

// excerpt is the state of one call of Rows.
type excerpt struct {
	Excerpt
	doc   *rowpairs.Document
	order []int // indexes of the document's columns, in the order of the page
	limit int64
	page  *template.Template
	lines []plainLine
}

func (e *excerpt) write(ctx context.Context, out io.Writer, keys *rowpairs.Keys) (err error) {
	head := newHead(e.doc.Summary())
	head.Found, head.Excerpt = e.Found, true
	l := newLayout(e.doc, e.order)
	if l.First = e.First; e.Found > e.limit {
		l.Found = e.Found
	}
	if head.Data, err = encode(l); err != nil {
		return err
	}
	for _, part := range []string{"rows", "layout"} {
		if err := e.page.ExecuteTemplate(out, part, head); err != nil {
			return err
		}
	}

	if err := e.embed(ctx, newChunks(out, e.doc, e.order), keys); err != nil || e.Shown == 0 {
		return err
	}
	return e.page.ExecuteTemplate(out, "plain", map[string]any{
		"Nodes": e.doc.Summary().Nodes, "Lines": e.lines, "Shown": min(e.Shown, maxPlain),
	})
}

// embed writes the differences that the page shows as the data that the script reads. It
// also adds the first maxPlain of them to lines.
func (e *excerpt) embed(ctx context.Context, c *chunks, keys *rowpairs.Keys) error {
	skipped := int64(0)
	for key, err := range keys.All(ctx) {
		if err != nil {
			return err
		}
		if skipped < e.First {
			skipped++
			continue
		}
		if e.Shown == e.limit || c.bytes > maxExcerpt {
			break
		}
		if err := c.add(key); err != nil {
			return err
		}
		if e.Shown++; e.Shown <= maxPlain {
			e.addPlain(key)
		}
	}
	return c.flush()
}

// plainLine is one column of a difference in the table for browsers without scripts.
type plainLine struct {
	Key, Column string
	Cells       []plainCell // the values of the column, one for each node
}

// plainCell is the text of a value, or a note such as "NULL" instead of a text.
type plainCell struct{ Text, Note string }

// addPlain adds the lines of a difference: one for each column that differs. If no column
// differs, it adds a single line that shows which nodes have the row.
func (e *excerpt) addPlain(key rowpairs.Key) {
	versions, _, pattern := group(key)
	s := e.doc.Summary()
	name := e.plainKey(versions)
	before := len(e.lines)

	for _, at := range e.order {
		if !slices.ContainsFunc(versions, func(v difffile.Row) bool { return !table.SameValue(v[at], versions[0][at]) }) {
			continue
		}
		line := plainLine{Key: name, Column: s.Columns[at].Name}
		for _, version := range pattern {
			line.Cells = append(line.Cells, plainValue(versions, version, at))
		}
		e.lines = append(e.lines, line)
	}
	if len(e.lines) > before {
		return
	}

	line := plainLine{Key: name}
	for _, version := range pattern {
		cell := plainValue(versions, version, e.order[0])
		if version >= 0 {
			cell = plainCell{Note: "has the row"}
		}
		line.Cells = append(line.Cells, cell)
	}
	e.lines = append(e.lines, line)
}

// plainKey returns the text of the key of a row.
func (e *excerpt) plainKey(versions []difffile.Row) string {
	var texts []string
	for _, at := range e.doc.Key() {
		if versions[0][at] != nil {
			text, _ := firstOf(*versions[0][at], maxPlainText)
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, ", ")
}

func plainValue(versions []difffile.Row, version, column int) plainCell {
	switch {
	case version == absent:
		return plainCell{Note: "no such row"}
	case version == unknown:
		return plainCell{Note: "not in the document"}
	case versions[version][column] == nil:
		return plainCell{Note: "NULL"}
	}
	text, omitted := firstOf(*versions[version][column], maxPlainText)
	if omitted > 0 {
		text += " …"
	}
	if text == "" {
		return plainCell{Note: "empty text"}
	}
	return plainCell{Text: text}
}

// Visible escapes a text for HTML and replaces hidden characters by their code points.
func Visible(text string) template.HTML { return visible(text) }

// Plain replaces hidden characters by their code points, without markup.
func Plain(text string) string { return plain(text) }
