package page

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"time"

	"ace/shared/api"
	"ace/shared/render"
	"ace/shared/rowpairs"
)

const (
	rowsPerPage  = 1000            // differences that a page contains
	maxRendering = 2               // documents that are read for pages at once
	rowsTime     = 2 * time.Minute // bounds the reading of one
	maxInMemory  = 16 << 20        // bytes of a document that is read into memory
	maxDocument  = 256 << 20       // bytes of a document whose rows a page shows
	tooLarge     = "The document is too large for this page. Download it, or open the report."
	firstOnPage  = "first" // the parameter with the number of differences before the page
)

// showComparison writes the page of a comparison that has completed. The verdict is sent
// before the rows are read, so that a reader sees it at once.
func (p *Page) showComparison(w http.ResponseWriter, r *http.Request, v view, t *taskView) error {
	var top, summary bytes.Buffer
	if err := render.Summary(&summary, *t.Summary); err != nil {
		return err
	}
	if t.Diff.MismatchedRows > 0 {
		v.Rows = template.JS(render.Script())
	}
	for _, part := range []string{"begin", "comparison-top"} {
		if err := p.templates.ExecuteTemplate(&top, part, v); err != nil {
			return fmt.Errorf("page: %w", err)
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.Copy(w, io.MultiReader(&top, &summary)) // fails only if the client is gone

	pages := rowPages{TaskID: t.TaskID}
	if t.Diff.MismatchedRows > 0 {
		_ = http.NewResponseController(w).Flush() // without it, the verdict is sent with the rows
		first, _ := strconv.ParseInt(r.URL.Query().Get(firstOnPage), 10, 64)
		var err error
		if pages.Excerpt, err = p.writeRows(r.Context(), w, t.TaskID, max(first, 0)); err != nil {
			pages.Problem = publicError(err)
			p.Log.WarnContext(r.Context(), "rows not shown", "task_id", t.TaskID, "error", err)
		}
	}

	for _, part := range []struct {
		name string
		data any
	}{{"row-pages", pages}, {"comparison-bottom", v}, {"end", v}} {
		if err := p.templates.ExecuteTemplate(w, part.name, part.data); err != nil {
			p.Log.ErrorContext(r.Context(), "page not complete", "task_id", t.TaskID, "error", err)
			return nil // the status is sent already
		}
	}
	return nil
}

// rowPages is which of the rows a page shows.
type rowPages struct {
	TaskID string
	render.Excerpt
	Problem string // why the rows are not shown
}

// Last returns the number of the last difference of the page.
func (p rowPages) Last() int64 { return p.First + p.Shown }

// Previous returns the number of differences before the previous page.
func (p rowPages) Previous() int64 { return max(0, p.First-rowsPerPage) }

// writeRows writes the differences of a document after the first ones.
func (p *Page) writeRows(ctx context.Context, w io.Writer, id string, first int64) (render.Excerpt, error) {
	ctx, cancel := context.WithTimeout(ctx, rowsTime)
	defer cancel()
	select {
	case p.rendering <- struct{}{}:
		defer func() { <-p.rendering }()
	case <-ctx.Done():
		return render.Excerpt{}, ctx.Err()
	}

	document, err := file(ctx, p.API, api.RouteDiff.Path(id))
	if err != nil {
		return render.Excerpt{}, err
	}
	if document.Size > maxDocument {
		return render.Excerpt{}, &refusal{http.StatusRequestEntityTooLarge, tooLarge}
	}
	open, err := opener(ctx, document)
	if err != nil {
		return render.Excerpt{}, err
	}
	return render.Rows(ctx, w, open, first, rowsPerPage)
}

// opener returns a function that opens a document at an offset. A small document is read
// into memory once.
func opener(ctx context.Context, document *api.File) (rowpairs.Opener, error) {
	if document.Size > maxInMemory {
		return func(ctx context.Context, offset int64) (io.ReadCloser, error) { return openAt(ctx, document, offset) }, nil
	}
	content, err := document.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	raw, err := io.ReadAll(content)
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, offset int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(raw[min(offset, int64(len(raw))):])), nil
	}, nil
}

func openAt(ctx context.Context, document *api.File, offset int64) (io.ReadCloser, error) {
	content, err := document.Open(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := content.Seek(offset, io.SeekStart); err != nil {
		_ = content.Close() // the error of Seek is the cause
		return nil, err
	}
	return content, nil
}
