package render

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"ace/shared/rowpairs"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// maxEmbedded bounds the bytes of the rows in a page, so that browsers can open it. If
// there are more rows, the page contains only the first ones, with a note.
const maxEmbedded = 128 << 20

// HTML writes a document as one page. The page shows the verdict, the counts per node,
// pair and column, how the table was compared, and every key that differs, with the rows
// of all nodes next to each other. A reader can filter these keys and page through them.
//
// The page is self-contained and sends no requests: its content security policy forbids
// them. Its data is in elements that browsers do not execute. The page's script decodes
// one chunk at a time, so that the page is fast even with very many rows. Which parts of
// the values differ is computed here, and not in the browser. Of a very long value the
// page contains only the text around the differences.
func HTML(ctx context.Context, w io.Writer, open rowpairs.Opener) error {
	return writeHTML(ctx, w, open, maxEmbedded)
}

func writeHTML(ctx context.Context, w io.Writer, open rowpairs.Opener, maxEmbedded int64) error {
	doc, err := rowpairs.Open(ctx, open)
	if err != nil {
		return err
	}
	page, err := parsePage()
	if err != nil {
		return err
	}

	out := bufio.NewWriterSize(w, 64<<10)
	order := keyFirst(doc)
	head := newHead(doc.Summary())
	head.Found = doc.Count()
	if head.Data, err = encode(newLayout(doc, order)); err != nil {
		return err
	}
	if err := page.ExecuteTemplate(out, "head", head); err != nil {
		return err
	}

	keys, err := doc.Keys(ctx)
	if err != nil {
		return err
	}
	embedded, err := embed(ctx, newChunks(out, doc, order), keys, maxEmbedded)
	if err != nil {
		return err
	}

	err = page.ExecuteTemplate(out, "foot", foot{
		Embedded: embedded, Found: keys.Count(), TaskID: doc.Summary().TaskID, Script: template.JS(pageJS),
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

func parsePage() (*template.Template, error) {
	page, err := template.New("").Funcs(functions()).Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	return page, nil
}

// embed writes the differences as the page's data until more than limit bytes are
// written. It returns the number of differences that it wrote.
func embed(ctx context.Context, c *chunks, keys *rowpairs.Keys, limit int64) (n int64, err error) {
	for key, err := range keys.All(ctx) {
		if err != nil {
			return n, err
		}
		if c.bytes > limit {
			break
		}
		if err := c.add(key); err != nil {
			return n, err
		}
		n++
	}
	return n, c.flush()
}

// foot is the template input for the end of the page, which follows its data.
type foot struct {
	Embedded, Found int64 // number of differences in the page, and in the document
	TaskID          string
	Script          template.JS
}

// policy returns the content security policy of the page. It allows the page's own style
// and script, and nothing else.
func policy() string {
	return fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", digest(pageCSS), digest(pageJS))
}

func digest(source string) string {
	sum := sha256.Sum256([]byte(source))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// encode returns v as JSON for an element that browsers do not execute. safeText and
// encoding/json escape markup.
func encode(v any) (template.JS, error) {
	raw, err := json.Marshal(v)
	return template.JS(raw), err
}
