package page

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	template "github.com/DataDog/datadog-agent/pkg/template/html"

	"ace/shared/api"
	"ace/shared/render"
	"ace/shared/rowpairs"
)

const (
	rowsPerPage  = 1000            // maximum number of differences on a page
	maxRendering = 2               // maximum number of requests that read the rows of a document at once
	rowsTime     = 2 * time.Minute // bounds the wait for a document and its reading
	maxInMemory  = 16 << 20        // maximum size of a document that is read into memory
	maxDocument  = 256 << 20       // maximum size of a document whose rows a page shows
	tooLarge     = "The document is too large for this page. Download it, or open the report."
	// firstOnPage is the query parameter with the number of differences before the page.
	firstOnPage = "first"
)

// showComparison writes the page of a comparison that has a result. The verdict is sent
// before the rows are read, so that a reader sees the verdict at once.
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
		_ = http.NewResponseController(w).Flush() // sends the verdict now, not with the rows
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
			return nil // the status has been sent, so no error page can follow
		}
	}
	return nil
}

// rowPages is the input of the template "row-pages". Its Excerpt states which differences
// the page shows, and how many the document has.
type rowPages struct {
	TaskID string
	render.Excerpt
	Problem string // why the rows are not shown; "" if they are
}

// Last returns the number of the last difference of the page. The first difference of the
// document has the number 1.
func (p rowPages) Last() int64 { return p.First + p.Shown }

// Previous returns the number of differences that precede the previous page, which is the
// parameter firstOnPage of that page.
func (p rowPages) Previous() int64 { return max(0, p.First-rowsPerPage) }

// writeRows skips the first differences of a task's document and writes the next ones, at
// most rowsPerPage. It returns which differences it has written. If the rows of
// maxRendering other pages are being read, it waits for one of them to end.
func (p *Page) writeRows(ctx context.Context, w io.Writer, id string, first int64) (render.Excerpt, error) {
	ctx, cancel := context.WithTimeout(ctx, rowsTime)
	defer cancel()
	select {
	case p.rendering <- struct{}{}:
		defer func() { <-p.rendering }()
	case <-ctx.Done():
		return render.Excerpt{}, &refusal{http.StatusServiceUnavailable, "other pages are reading rows; reload this page later"}
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

// opener returns a function that opens a document at an offset. A document of at most
// maxInMemory bytes is read into memory once, so that the function does not read it again
// for each offset.
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
		_ = content.Close() // openAt returns the error of Seek
		return nil, err
	}
	return content, nil
}
