package render

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"

	"ace/shared/difffile"
	"ace/shared/rowpairs"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// maxEmbedded bounds the rows in a page, in bytes. Beyond, no browser would open it: the page then has the first ones
// and says so.
const maxEmbedded = 128 << 20

// HTML writes a document as one page: the verdict, the counts per pair and column, how the table was compared, and every
// difference, the two rows side by side, to filter and to page through. The page is self-contained and asks nobody
// for anything: its policy forbids it to. Its data lies in elements that no browser runs, decoded a little at a time by
// the page's own script, so that it stays quick with very many rows. Of a very long value it has the part that matters.
func HTML(ctx context.Context, w io.Writer, open rowpairs.Opener) error {
	return writeHTML(ctx, w, open, maxEmbedded)
}

func writeHTML(ctx context.Context, w io.Writer, open rowpairs.Opener, maxEmbedded int64) error {
	doc, err := rowpairs.Open(ctx, open)
	if err != nil {
		return err
	}
	page, err := template.New("").Funcs(functions()).Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("render: %w", err)
	}
	out := bufio.NewWriterSize(w, 64<<10)
	order := keyFirst(doc)
	head, err := newHead(doc, order)
	if err != nil {
		return err
	}
	if err := page.ExecuteTemplate(out, "head", head); err != nil {
		return err
	}
	embedded, err := embed(ctx, out, doc, order, maxEmbedded)
	if err != nil {
		return err
	}
	err = page.ExecuteTemplate(out, "foot", foot{
		Embedded: embedded, Found: doc.Count(), TaskID: doc.Summary().TaskID, Script: template.JS(pageJS),
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// embed writes the differences as data, and gives their number.
func embed(ctx context.Context, out io.Writer, doc *rowpairs.Document, order []int, limit int64) (n int64, err error) {
	c := &chunks{out: out, order: order, key: len(doc.Key()), pairs: map[difffile.Pair]int{}, sets: map[string]int{}}
	for i, p := range doc.Summary().Pairs {
		c.pairs[p.Nodes] = i
	}
	for d, err := range doc.Differences(ctx) {
		if err != nil {
			return n, err
		}
		if c.bytes > limit {
			break
		}
		if err := c.add(d); err != nil {
			return n, err
		}
		n++
	}
	return n, c.flush()
}

// foot is what stands behind the data.
type foot struct {
	Embedded, Found int64 // differences in the page, and in the document
	TaskID          string
	Script          template.JS
}

// policy is what the page allows itself: its own style and script, nothing else.
func policy() string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", digest(pageCSS), digest(pageJS))
}

func digest(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// encoded is JSON for an element that no browser runs. Markup in it is escaped, here and by encoding/json.
func encoded(v any) (template.JS, error) {
	raw, err := json.Marshal(v)
	return template.JS(raw), err
}
